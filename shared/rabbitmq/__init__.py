"""RabbitMQ: the broker port on pika and kombu."""
