"""A configuration file that uses every key there is, for tests of reading, storing and writing."""

from __future__ import annotations

EXAMPLE = """\
settings:
  poll_interval: 60s
  max_per_poll: 100
  max_subject_length: 300
  max_mail_size: 25MB
  restricted_attachments: ["*.exe", "*.js", "application/x-msdownload", "image/*"]
  truncate_replies: false
  keep_full_message: true
  trusted_authserv_ids: [mx.example.com]
  auth_failure_ticket: {enabled: true, after: 3, template: mail-down}
  response_url: https://desk.example.com/TrackIt
  self_service_url: https://desk.example.com/SelfService
  plus_addressing: keep
  processing: off
  timezone: Europe/Berlin
  token_key: ${TOKEN_KEY}
  rabbitmq_management_url: http://127.0.0.1:15672
  log_events: false
  keep_journal: 30d
  allow_cleartext_auth: true
  fips: true
  format_per_person: true
  require_change_reason: true
  subject_patterns: ['(?P<type>case)\\s*(?P<number>\\d+)']
  automatic_mail_cap: {per_address: 3, per: 1h30m}
mail_servers:
  - name: default
    protocol: smtp
    host: smtp.example.com
    port: 587
    tls: starttls
    auth: login
    username: desk@example.com
    password: ${SMTP_PASSWORD}
    from_address: support@example.com
    timeout: 1500ms
    block: true
    override_recipient: test@example.com
    embedded_images: inline
    conversation_id: {enabled: true, location: body, prefix: "DESK"}
    default_format: text
    verify_certificate: false
    partition: it
  - name: cloud
    protocol: graph
    oauth: {client_id: c, client_secret: "${X}", tenant_id: t, user_id: 0a0b0c0d-0000-1111-2222-333344445555}
inboxes:
  - name: support
    enabled: false
    address: Support@Example.COM
    protocol: pop3
    host: pop.example.com
    port: 110
    verify_certificate: false
    auth: login
    username: support
    password: file:secrets/support
    after: leave
    take: all
    poll_interval: 5m
    max_per_poll: 9999
    ignore_cc: true
    default_domain: "@example.com"
    include_source_mailbox_name: true
    log_events: false
    partition: it
    mail_server: default
    processor: call
    owner_team: Service Desk
    task_for_every_email: true
    task_subject: "Look at it"
    template: default-call
    field_mapping: {Category: "@Subject", Source: x}
    status_mapping:
      - {status: Resolved, quick_action: Reopen, enabled: false}
    sender:
      method: person
      policy: without_creating
      contact_type: employee
    accept_only: both
    forwarded_for_original_sender: true
    copy_takes_part: true
    copy_on_answers: true
    answers_by_mail: true
    commands:
      enabled: [close, approve]
      update_by: recognised
      trust: authenticated
      log_new_on_invalid_number: false
      update_closed: true
      reopen_closed: true
      reopened_to: "group:Second Line"
      update_anonymously: true
      close_anonymously: true
      use_linked_analyst: true
      default_logging_analyst: jdoe
      reply_on_update: false
      notify_handler_on_update: true
  - name: locations
    address: places@example.com
    processor: Work Order
    unique_key: WorkOrderNumber
    record_marker: "----"
    field_separator: "$"
    email_when_no_target: true
    create_incident_on_error: false
    sender:
      method: object
      policy: existing_only
      object:
        type: location
        relationship: at
        match_value: {field: Code, value: HQ}
        field_mapping: {Title: "@FirstName @LastName"}
  - name: requests
    address: requests@example.com
    processor: request
    update_only: true
    after: mark_read
    create_archive_folder: false
    folder: INBOX/Requests
    archive_folder: Done
  - name: exchange
    address: ews@example.com
    protocol: ews
    ews_url: https://ews.example.com/EWS/Exchange.asmx
    auth: oauth
    oauth: {client_id: c, client_secret: "${X}", tenant_id: t, user_id: u, authority: "https://login.example.us",
            resource: "https://outlook.example.us", endpoint: "https://graph.example.us"}
  - name: google
    address: g@example.com
    protocol: gmail
    google: {service_account: robot@project.example.com, private_key: "file:google.pem", user: g@example.com}
    processor: xml_export
    export: {connection: warehouse, compress: true}
rules:
  - name: no-newsletters
    match: {sender: "newsletter@, News Desk", recipient: all@example.com, subject: [Unsubscribe, "News, old"],
            header: {List-Id: news}, size: 10MB, regex: {subject: "^news\\\\b"}}
    direction: both
    applies_to: requestors
    action: reject
    reason: "newsletter"
  - {name: lottery, match: {header: "X-Spam-Flag: YES", regex: "win(ner)?"}}
people:
  - {id: jdoe, name: Jane Doe, addresses: [Jane@Example.com, j@example.com], kind: employee, roles: [user, analyst],
     permissions: [take_over], format: html, active: false, login_id: jane}
  - {id: admin, name: Administrator, addresses: [jane@example.com], roles: [analyst]}
record_types:
  - {name: location, label: Location, number_field: LocationNumber, prefix: LOC,
     fields: {Email: text, Code: text, Title: text},
     statuses: {open: [Active], closed: [Gone]}}
  - name: Work Order
    aliases: [job]
    fields: {Summary: text, Weight: {type: number, protected: true}, Due: date, Urgent: boolean}
    relationships: {at: Location}
quick_actions:
  - {name: Reopen, on: ticket, set: {Status: Active}}
templates:
  - {name: default-call, on: incident,
     set: {Status: Logged, Stream: IT, Owner: null, Priority: 3, Weight: 1.5, Code: "5"}}
  - {name: mail-down, on: incident,
     set: {Answer: yes, Urgent: true, When: 2024-01-01, Ratio: 1e5, Octal: 010, Off: off}}
partitions:
  - {name: it, priority_matrix: {"Low/Low": 4, "High / High": 1}}
slas:
  - {name: gold, on: incident, when: {Priority: 1}, respond: 1h, resolve: 8h, warn_before: 15m}
business_rules:
  - {name: ack, on: call.created, when: {Priority: 1}, notify: {to: "@Sender", template: ack-mail}, set: {Stream: IT}}
  - {name: late, on: sla.due, notify: {to: [lead@example.com, admin], template: ack-mail},
     schedule: "* 8-17 * * mon-fri"}
mail_templates:
  - {name: ack-mail, subject: "Your request {number}", text: "We received it.\\nThanks", html: "<p>Thanks"}
reports:
  - {name: open-by-team, schedule: "0 7 * * 1-5", query: {type: call, status: open}, group_by: OwnerTeam,
     to: [lead@example.com]}
connections:
  - {name: warehouse, kind: directory, path: exports}
  - {name: portal, kind: http, url: "https://portal.example.com/in", token: "${PORTAL_TOKEN}"}
"""
"""Every key of the file at a value that is not its default, where one can tell."""
