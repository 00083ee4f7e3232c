"""Reports as some sixty mail systems word them, without their status part: only the words say what happened."""

from __future__ import annotations

from typing import Final

import pytest

from services.parser import mime
from shared.contracts.mail import ParsedMail

STANDS_FOR: Final = {
    "DAEMON": "Mail Delivery Subsystem <mailer-daemon@mx.example.org>",
    "POSTMASTER": "postmaster@mx.example.org",
    "{UNKNOWN}": "550 5.1.1 unknown user",
}
"""What stands in the mails below for the most frequent texts."""


def mails(table: str) -> list[object]:
    """The mails of a table as test parameters: a line `=== name`, From, Subject, an empty line and the text."""
    for short, text in STANDS_FOR.items():
        table = table.replace(short, text)
    named = (mail.partition("\n") for mail in table.strip().removeprefix("=== ").split("\n=== "))
    return [pytest.param(mail, id=name) for name, _, mail in named]


def read(mail: str) -> ParsedMail:
    """A mail of a table, addressed to the desk."""
    head, _, text = mail.partition("\n\n")
    fields = f"To: desk@example.com\n{head}\nContent-Type: text/plain; charset=utf-8\n\n"
    return mime.read(f"{fields}{text}\n".encode()).mail


FORMATS: Final = """
=== Exchange Online
From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.org>
Subject: Undeliverable: Printer

Your message to bob@example.net couldn't be delivered.

bob wasn't found at example.net.

Original Message Details
Sender Address: desk@example.com
Recipient Address: bob@example.net

Error Details
Error: 550 5.1.1 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
=== Exchange 2003
From: System Administrator <postmaster@mx.example.org>
Subject: Undeliverable: Printer

Your message

  To:      bob@example.net
  Subject: Printer
  Sent:    Mon, 2 Jun 2025 09:00:00 +0200

did not reach the following recipient(s):

bob@example.net on Mon, 2 Jun 2025 09:00:05 +0200
    The e-mail account does not exist at the organization this message was sent to.
            <mx.example.net #550 5.1.1>
=== Exim
From: DAEMON
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  bob@example.net
    SMTP error from remote mail server after RCPT TO:<bob@example.net>:
    host mx.example.net [192.0.2.7]: {UNKNOWN}
=== qmail
From: DAEMON
Subject: failure notice

Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<bob@example.net>:
192.0.2.7 does not like recipient.
Remote host said: {UNKNOWN}
Giving up on 192.0.2.7.
=== a patched qmail
From: POSTMASTER
Subject: failure notice

Hello. I tried to deliver your message, and I have given up.

<bob@example.net>:
Remote host said: {UNKNOWN}
=== Gmail
From: DAEMON
Subject: Delivery Status Notification (Failure)

** Address not found **

Your message wasn't delivered to bob@example.net because the address couldn't be found, or is unable to receive mail.

The response from the remote server was:
{UNKNOWN}
=== Gmail, German
From: DAEMON
Subject: Delivery Status Notification (Failure)

** Adresse nicht gefunden **

Ihre Nachricht wurde nicht an bob@example.net zugestellt, weil die Adresse nicht gefunden wurde.

Die Antwort lautete:

{UNKNOWN}
=== Gmail, French
From: DAEMON
Subject: Delivery Status Notification (Failure)

** Adresse introuvable **

Votre message n'est pas parvenu à bob@example.net, car l'adresse est introuvable.

Voici la réponse :

{UNKNOWN}
=== Gmail, Spanish
From: DAEMON
Subject: Delivery Status Notification (Failure)

** No se ha encontrado la dirección **

Tu mensaje no se ha entregado a bob@example.net porque no se ha encontrado la dirección.

La respuesta fue:

{UNKNOWN}
=== Gmail, Japanese
From: DAEMON
Subject: Delivery Status Notification (Failure)

** アドレス不明 **

bob@example.net が見つからないか、メールを受信できないため、メールは配信されませんでした。

リモートサーバーからの応答:

{UNKNOWN}
=== Outlook.com
From: postmaster@mail.hotmail.example
Subject: Delivery Status Notification (Failure)

This is an automatically generated Delivery Status Notification.

Delivery to the following recipients failed.

       bob@example.net

{UNKNOWN}
=== Yahoo
From: MAILER-DAEMON@yahoo.example
Subject: Failure Notice

Sorry, we were unable to deliver your message to the following address.

<bob@example.net>:
550: 5.1.1 unknown user
=== Amazon SES
From: MAILER-DAEMON@eu-west-1.amazonses.example
Subject: Delivery Status Notification (Failure)

An error occurred while trying to deliver the mail to the following recipients:
bob@example.net
Reason: {UNKNOWN}
=== Domino
From: POSTMASTER
Subject: DELIVERY FAILURE: User bob (bob@example.net) not listed in Domino Directory

Your message

  Subject: Printer

was not delivered to:

  bob@example.net

because:

  {UNKNOWN}
=== Notes
From: POSTMASTER
Subject: DELIVERY FAILURE

------- Failure Reasons  --------

User not listed in public Name & Address Book
bob@example.net
{UNKNOWN}

------- Returned Message --------

From: desk@example.com
To: carl@example.net
=== GroupWise
From: Mailer-Daemon@gw.example.org
Subject: Message status - undeliverable

The message that you sent was undeliverable to the following:

  bob@example.net ({UNKNOWN})
=== MailEnable
From: POSTMASTER
Subject: Message Delivery Failure

MailEnable: Message Delivery Failure.

The following recipient(s) could not be reached:

  [SMTP:bob@example.net]: Remote SMTP Server Returned: {UNKNOWN}

Message headers follow:
=== IMail
From: Mail Administrator <Postmaster@mx.example.org>
Subject: Undeliverable Mail

Unknown user: bob@example.net
{UNKNOWN}

Original message follows.

From: desk@example.com
=== MMDF
From: Mail Delivery System <mmdf@mx.example.org>
Subject: Failed mail (msg.aa01)

Your message could not be delivered to
'bob@example.net (host: example.net) (queue: smtp)' for the following
reason:  ' {UNKNOWN}'
=== X.400
From: postmaster@x400.example.org
Subject: Non-delivery report

Your message was not delivered to:   bob@example.net
for the following reason: Recipient unknown
Diagnostics: {UNKNOWN}
=== James
From: POSTMASTER
Subject: Delivery failure

Hi. This is the James mail server at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

Failed recipient(s):
bob@example.net

Error message:
{UNKNOWN}
=== OpenSMTPD
From: Mailer Daemon <MAILER-DAEMON@mx.example.org>
Subject: Delivery status notification: error

Hi!

    This is the MAILER-DAEMON, please DO NOT REPLY to this email.

    An error has occurred while attempting to deliver a message for
    the following list of recipients:

bob@example.net: {UNKNOWN}
=== Courier
From: POSTMASTER
Subject: NOTICE: mail delivery status.

This is a delivery status notification from mx.example.org,
running the Courier mail server, version 0.65.2.

                           UNDELIVERABLE MAIL

Your message to the following recipients cannot be delivered:

<bob@example.net>:
    mx.example.net [192.0.2.7]:
>>> RCPT TO:<bob@example.net>
<<< {UNKNOWN}
=== PowerMTA, SendGrid
From: POSTMASTER
Subject: Delivery report

Hello, this is the mail server on mx.example.org.

I am sending you this message to inform you on the delivery status of a
message you previously sent.  Immediately below you will find a list of
the affected recipients.

  <bob@example.net>  delivery failed; will not continue trying
   {UNKNOWN}
=== Barracuda
From: POSTMASTER
Subject: **Message you sent blocked by our bulk email filter: delivery failed**

Your message to: bob@example.net
was blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:

Subject: Printer

{UNKNOWN}
=== IronPort
From: DAEMON
Subject: Delivery Status Notification (Failure)

The following message to <bob@example.net> was undeliverable.
The reason for the problem:
5.1.0 - Unknown address error 550-'5.1.1 <bob@example.net>: unknown user'
=== Proofpoint
From: DAEMON
Subject: Returned mail: see transcript for details

The original message was received at Mon, 2 Jun 2025 09:00:00 GMT

   ----- The following addresses had permanent fatal errors -----
<bob@example.net>
    (reason: {UNKNOWN})

   ----- Transcript of session follows -----
<<< {UNKNOWN}
=== Zoho
From: mailer-daemon@mail.zoho.example
Subject: Undelivered Mail Returned to Sender

This message was created automatically by mail delivery software.
 A message that you sent could not be delivered to one or more of its recipients. This is a permanent error.

bob@example.net, ERROR CODE :550 - 5.1.1 unknown
=== Mail.Ru
From: mailer-daemon@corp.mail.example
Subject: Mail failure.

Это письмо создано автоматически сервером, отвечать на него не нужно.

К сожалению, Ваше письмо не может
быть доставлено одному или нескольким получателям:

bob@example.net
{UNKNOWN}
=== GMX
From: DAEMON
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered to one or more of its recipients.
The following address failed:

bob@example.net:
SMTP error from remote server for RCPT TO command, host: mx.example.net (192.0.2.7) reason: {UNKNOWN}
=== T-Online
From: POSTMASTER
Subject: Unzustellbar: Drucker

Ihre Nachricht konnte an folgenden Empfänger nicht zugestellt werden:

  bob@example.net

Fehlermeldung: {UNKNOWN}
=== Orange
From: POSTMASTER
Subject: Échec de la remise : Imprimante

Bonjour, votre message n'a pas pu être remis.

Destinataire : bob@example.net

Il n'y a pas de réponse à ce message automatique.
{UNKNOWN}
=== Telefónica
From: POSTMASTER
Subject: Error de entrega: Impresora

No se pudo entregar su mensaje.

Destinatario: bob@example.net
Motivo: {UNKNOWN}
=== Libero
From: POSTMASTER
Subject: Mancato recapito: Stampante

Il messaggio non è stato consegnato.

Destinatario: bob@example.net
Motivo: {UNKNOWN}
=== UOL
From: POSTMASTER
Subject: Falha na entrega: Impressora

A mensagem não pôde ser entregue.

Destinatário: bob@example.net
{UNKNOWN}
=== docomo
From: DAEMON
Subject: Undelivered

次のあて先へのメッセージはエラーのため送信できませんでした。

送信先メールアドレスが見つかりません(User unknown)
<bob@example.net>
{UNKNOWN}
=== Tencent
From: POSTMASTER
Subject: 系统退信

抱歉，您的邮件被退回来了。

收件人：bob@example.net
退信原因：收件人邮件地址不存在
{UNKNOWN}
=== Naver
From: POSTMASTER
Subject: 메일 전송 실패: 프린터

메일을 배달하지 못했습니다.

받는 사람: bob@example.net
{UNKNOWN}
=== WP
From: POSTMASTER
Subject: Niedostarczona wiadomość

Nie można dostarczyć wiadomości.

Adresat: bob@example.net
{UNKNOWN}
=== InterScan
From: "InterScan" <>
Subject: Mail could not be delivered

****** Message from InterScan Messaging Security Suite ******

Sent <<< RCPT TO:<bob@example.net>
Received >>> {UNKNOWN}

Unable to deliver message to <bob@example.net>.
=== SurfControl
From: POSTMASTER
Subject: Your message could not be sent

Your message could not be sent.
A transcript of the attempts to send the message follows.

Addressed To: bob@example.net

..Failed to send to identified host,
bob@example.net: [192.0.2.7], {UNKNOWN}
=== Post.Office
From: POSTMASTER
Subject: Undeliverable Mail

This Message was undeliverable due to the following reason:

The user does not exist.

    Recipient: <bob@example.net>
    Reason:    {UNKNOWN}
=== iPlanet
From: Internet Mail Delivery <postmaster@mx.example.org>
Subject: Delivery Notification: Delivery has failed

Your message cannot be delivered to the following recipients:

  Recipient address: bob@example.net
  Reason: SMTP transmission failure has occurred
  Diagnostic code: smtp;{UNKNOWN}
=== MDaemon
From: MDaemon at mx.example.org <MDaemon@mx.example.org>
Subject: Permanent Delivery Failure

The attached message had PERMANENT fatal delivery errors!

Failed address: bob@example.net

--- Session Transcript ---
 --> RCPT To:<bob@example.net>
 <-- {UNKNOWN}
--- End Transcript ---
=== hMailServer
From: mailer-daemon@mx.example.org
Subject: Message undeliverable: Printer

Your message did not reach some or all of the intended recipients.

   Subject: Printer

The following recipient(s) could not be reached:

bob@example.net
   Error Type: SMTP
   hMailServer sent: RCPT TO:<bob@example.net>
   Remote server replied: {UNKNOWN}
=== SmarterMail
From: "System Administrator" <postmaster@mx.example.org>
Subject: Delivery Failure

Could not deliver message to the following recipient(s):

Failed Recipient: bob@example.net
Reason: Remote host said: {UNKNOWN}
=== Kerio
From: POSTMASTER
Subject: Delivery failed

Your message could not be delivered to:

<bob@example.net>; {UNKNOWN}
=== MessageLabs
From: DAEMON
Subject: failure notice

This is the mail delivery agent at messagelabs.example.
I was not able to deliver your message to the following addresses.

<bob@example.net>:
192.0.2.7 does not like recipient.
Remote host said: {UNKNOWN}
=== Mimecast
From: postmaster@mimecast.example
Subject: [Postmaster] Email Delivery Failure

This is a message from the Mimecast Email Server.

Your email message to bob@example.net was rejected by the destination server.

The error reported was: {UNKNOWN}
=== WorkMail
From: postmaster@amazonses.example
Subject: Undeliverable message

Could not deliver message to the following recipient(s):

bob@example.net

Technical report:
Remote server replied: {UNKNOWN}
=== SAP
From: POSTMASTER
Subject: Delivery error for document: Printer

No delivery to bob@example.net, message rejected: {UNKNOWN}
=== Sun
From: Mail Delivery Subsystem <MAILER-DAEMON>
Subject: Returned mail: User unknown

   ----- Transcript of session follows -----
While talking to mx.example.net:
>>> RCPT To:<bob@example.net>
<<< {UNKNOWN}
550 <bob@example.net>... User unknown
"""


@pytest.mark.parametrize("mail", mails(FORMATS))
def test_the_words_of_a_mail_system_are_a_report(mail: str) -> None:
    found = read(mail)
    assert found.kind == "bounce"
    assert found.bounce is not None
    (one,) = found.bounce.recipients
    assert (one.address, one.status, one.smtp_code, one.permanent) == ("bob@example.net", "5.1.1", 550, True)


DELAYS: Final = """
=== Postfix
From: DAEMON
Subject: Delayed Mail (still being retried)

# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #

Your message could not be delivered for more than 4 hour(s).

<bob@example.net>: connect to mx.example.net[192.0.2.7]:25: Connection timed out
=== sendmail
From: DAEMON
Subject: Warning: could not send message for past 4 hours

    **********************************************
    **      THIS IS A WARNING MESSAGE ONLY      **
    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **

   ----- The following addresses had transient non-fatal errors -----
<bob@example.net>
=== Exim
From: DAEMON
Subject: Warning: message 1abCde-0001Fg-2H delayed 24 hours

A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours.

No action is required on your part.

The address to which the message has not yet been delivered is:

  bob@example.net
=== Exchange
From: DAEMON
Subject: Delivery delayed: Printer

Delivery is delayed to these recipients or groups:

bob@example.net

This message hasn't been delivered yet. Delivery will continue to be attempted.
=== Gmail
From: DAEMON
Subject: Delivery Status Notification (Delay)

** Delivery incomplete **

There was a temporary problem delivering your message to bob@example.net. Gmail will retry for 45 more hours.
"""


@pytest.mark.parametrize("mail", mails(DELAYS))
def test_a_warning_about_a_delay_is_not_permanent(mail: str) -> None:
    found = read(mail)
    assert found.bounce is not None
    assert [(one.address, one.permanent) for one in found.bounce.recipients] == [("bob@example.net", False)]


PERSONS: Final = """
=== quotes a report
From: Ann <ann@example.org>
Subject: Undelivered mail

What does this mean?

> <bob@example.net>: host mx.example.net said: {UNKNOWN}
=== pastes a report below a question
From: Ann <ann@example.org>
Subject: Mail delivery failed

Can you help?

This is the mail system at host mx.example.org.

Your message could not be delivered.

<bob@example.net>: {UNKNOWN}
=== a postmaster who writes
From: Postmaster <postmaster@example.org>
Subject: Mail delivery problem

Dear colleagues,
I get {UNKNOWN} for bob@example.net, so my mail is not delivered. Joe
=== a postmaster without a greeting
From: Postmaster <postmaster@example.org>
Subject: Undeliverable mail

I have a problem: mail to bob@example.net was rejected.
=== reports a parcel
From: Ann <ann@example.org>
Subject: Undeliverable

The parcel could not be delivered. Who has it?
=== answers a report
From: Ann <ann@example.org>
Subject: Re: Undelivered Mail Returned to Sender

We have changed it.

<bob@example.net>: host mx.example.net said: {UNKNOWN}
your mail was not delivered
=== forwards a report
From: Ann <ann@example.org>
Subject: Fwd: failure notice

Hi. This is the qmail-send program at mx.example.org.
<bob@example.net>:
Remote host said: {UNKNOWN}
"""


@pytest.mark.req("VF-02")
@pytest.mark.parametrize("mail", mails(PERSONS))
def test_a_person_who_writes_about_a_report_is_heard(mail: str) -> None:
    assert read(mail).kind == "message"
