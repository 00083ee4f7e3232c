"""The words around quotations, by language: tables only, so that a language is one more entry in each.

Languages: en de fr es pt it nl sv da no fi pl cs sk ru uk bg hu ro el tr ja zh ko and some more.
"""

from __future__ import annotations

import re
from typing import Final

WROTE: Final = (
    "wrote", "writes", "wrote the following", "said", "schrieb", "schreibt", "geschrieben", "folgendes geschrieben", "a écrit",
    "a ecrit", "écrit", "escribió", "escribio", "ha escrito", "escreveu", "ha scritto", "scrisse", "schreef", "geschreven",
    "skrev", "skrev följande", "skrev følgende", "följande", "følgende", "kirjoitti", "napisał(a)", "napisał",
    "napisała", "pisze", "napsal(a)", "napsal", "napsala", "napísal", "napísal(a)", "napísala", "píše",
    "написал", "написал(а)", "написала",
    "писал", "писал(а)", "писала", "пишет",
    "написав", "написала", "пише", "написа",
    "написав(-ла)", "написав(ла)", "írta", "a scris", "έγραψε",
    "yazdı", "şunu yazdı", "şunları yazdı", "yazmış", "je napisao", "je napisala", "je napisal", "je napisao/la",
    "rašė", "rakstīja", "kirjutas", "va escriure", "đã viết", "menulis", "כתב", "כתבה", "כתב/ה",
    "كتب", "เขียน", "写道", "寫道", "撰写", "撰寫", "写到", "寫到",
    "のメール", "書きました", "書いた", "작성", "쓴", "썼습니다", "이 쓴 글",
)  # fmt: skip
"""Verbs that end an attribution."""

WROTE_INSIDE: Final = (
    "schrieb", "schreibt", "schreef", "skrev", "kirjoitti", "napisał", "napisała", "napsal", "napsala", "escribió", "escreveu",
    "ha scritto", "a écrit", "írta", "написал", "написала", "heeft", "пишет", "ezt írta",
)
"""Verbs that may stand between the date and the name."""

OPENERS: Final = (
    "on", "am", "le", "el", "il", "em", "no dia", "op", "den", "d.", "w dniu", "dnia", "dne", "dňa", "в", "у", "на", "pe",
    "στις", "v", "pada", "vào", "a", "at", "o", "在", "於", "于", "il giorno", "em data de", "von", "von:",
)  # fmt: skip
"""First words of an attribution that begins with its date."""

_KEYS: Final = {
    "from": "from von de da van från fra lähettäjä od от від kimden gönderen 差出人 送信者 发件人 發件人 "
            "寄件者 寄件人 보낸_사람 보낸사람 발신 feladó de_la από expéditeur remitente mittente "
            "afzender avsändare avsender afsender remetente odesílatel odosielateľ отправитель відправник מאת من",
    "sent": "sent date gesendet datum envoyé envoyé_le enviado enviado_el enviada_em enviado_em enviado_a_las enviada fecha "
            "data inviato inviata verzonden skickat skickades sendt dato lähetetty päiväys päivämäärä wysłano wysłane odesláno odoslané "
            "отправлено дата надіслано дата_и_время gönderildi gönderme_tarihi tarih 送信日時 日付 日時 发送时间 "
            "發送時間 傳送日期 日期 寄件日期 时间 보낸_날짜 날짜 일시 elküldve dátum trimis ημερομηνία εστάλη נשלח",
    "to": "to an à a pour para aan till til vastaanottaja do komu кому kime alıcı 宛先 收件人 收件者 받는_사람 받는사람 수신 címzett "
          "către προς destinataire destinatario empänger אל",
    "cc": "cc bcc kopie kopia kopi copie copia cópia kopio копия копія bilgi 抄送 副本 참조 másolat",
    "subject": "subject betreff betr. betr objet asunto oggetto assunto onderwerp ämne emne aihe temat předmět predmet тема konu 件名 "
               "主题 主題 主旨 標題 제목 tárgy subiect θέμα sujet thema sag נושא",
    "other": "reply-to importance wichtigkeit priority attachments anlagen organization message-id x-mailer sender resent-from "
             "priorität antwort_an répondre_à newsgroups",
}  # fmt: skip
HEADER_KEYS: Final[dict[str, str]] = {
    word.replace("_", " "): role for role, words in _KEYS.items() for word in words.split()
}
"""Field name as mail programs show it, lower case, to its role."""

ORIGINAL: Final = (
    "original message", "originalmessage", "original appointment", "reply message", "reply separator", "message separator", "ursprüngliche nachricht",
    "originalnachricht", "ursprünglicher termin", "message d'origine", "message original", "message d\u2019origine", "message initial", "mensaje original",
    "messaggio originale", "mensagem original", "oorspronkelijk bericht", "origineel bericht", "ursprungligt meddelande", "originalmeddelande",
    "oprindelig meddelelse", "oprindelig besked", "original besked", "opprinnelig melding", "original melding", "alkuperäinen viesti",
    "wiadomość oryginalna", "oryginalna wiadomość", "původní zpráva", "původní e-mail", "pôvodná správa",
    "исходное сообщение", "исходное письмо", "оригинальное сообщение", "початкове повідомлення",
    "оригінальне повідомлення", "eredeti üzenet", "mesaj original", "mesajul inițial", "orijinal ileti", "orijinal mesaj", "özgün ileti",
    "元のメッセージ", "原始邮件", "原始信件", "原始郵件", "원본 메시지", "원본 메일", "αρχικό μήνυμα",
)  # fmt: skip

FORWARDED: Final = (
    "forwarded message", "forwarded by", "forwarded", "begin forwarded message", "weitergeleitete nachricht", "weitergeleitet von", "weitergeleitete mail",
    "anfang der weitergeleiteten nachricht", "anfang der weitergeleiteten e-mail", "message transféré", "message transmis", "début du message transféré",
    "début du message réexpédié", "mensaje reenviado", "inicio del mensaje reenviado", "comienzo del mensaje reenviado", "messaggio inoltrato",
    "inizio messaggio inoltrato", "mensagem encaminhada", "mensagem reencaminhada", "início da mensagem encaminhada", "início da mensagem reencaminhada",
    "doorgestuurd bericht", "begin doorgestuurd bericht", "vidarebefordrat meddelande", "vidarebefordrat brev", "videresendt besked", "videresendt meddelelse",
    "videresendt melding", "start på videresendt besked", "välitetty viesti", "edelleenlähetetty viesti", "przekazana wiadomość",
    "wiadomość przekazana dalej", "początek przekazywanej wiadomości", "přeposlaná zpráva", "preposlaná správa", "пересылаемое сообщение",
    "пересланное сообщение", "переслане повідомлення", "переадресоване повідомлення",
    "továbbított üzenet", "mesaj redirecționat", "iletilmiş mesaj", "iletilen mesaj", "yönlendirilmiş ileti", "転送されたメッセージ", "転送メッセージ",
    "转发邮件", "转发的邮件", "轉寄郵件", "轉寄的郵件", "전달된 메시지", "전달된 메일", "προωθημένο μήνυμα",
)  # fmt: skip

FIRST_PERSONS: Final = "i we ich wir ik wij je nous yo nosotros io noi eu nós jag vi jeg minä ja my já я мы ми ben biz".split()
"""Before or behind such a verb they make it the sender's own sentence."""

FORWARD_SUBJECT: Final = re.compile(
    r"\s*(?:fwd?|wg|tr|rv|enc|i|vs|vb|vl|pd|fs|doorst|dørst|пересл|ilt|trs|转发|轉寄|전달|転送|res?env|rif)\s?(?:\[\d{1,3}\])?\s?[:\uff1a]",
    re.IGNORECASE,
)
"""A subject that says forwarded; `VS` is an answer in Finnish and a forward in Dutch, so text decides too."""

MOBILE: Final = re.compile(
    r"""^(?!.{0,80}\b(?:is|are|was|were|has|have)\b)[\s<(\[*_]{0,6}(?:
      sent\s(?:a\s\S+\s)?(?:from|via|with|using|by)\s\S.{0,100}
    | from\smy\s(?:iphone|ipad|ipod|phone|mobile|android|blackberry|samsung)\b.{0,60}
    | get\s\[?outlook\sfor\s\w+.{0,80}
    | (?:someone\s)?from\smobile
    | (?:von|aus)\s(?:meine[mr]|unterwegs)\b.{0,80}(?:gesendet|geschickt)
    | (?:diese\s(?:nachricht|e-?mail|mail)\swurde\s)?(?:von\smeinem|mit\s(?:der|dem)).{1,80}gesendet
    | diese\snachricht\swurde\svon\s.{1,100}gesendet
    | gesendet\s(?:von|mit|über|aus)\s.{1,100}
    | holen\ssie\ssich\soutlook\sfür.{0,80}
    | envoyée?s?\s(?:de(?:puis)?|à\spartir\sde|avec|par|via|du)\s.{1,100}
    | (?:obtenez|télécharger?)\soutlook\spour.{0,80}
    | enviado\s(?:desde|do|de|a\spartir\sd[eo]|com|con|pelo|via|usando)\s.{1,100}
    | (?:obtenga|obter|obtener)\soutlook\spara.{0,80}
    | inviat[oa]\s(?:da(?:l|lla)?|con|tramite)\s.{1,100}
    | (?:scarica|ottieni)\soutlook\sper.{0,80}
    | (?:verzonden|verstuurd)\s(?:vanaf|vanuit|met|via|van)\s.{1,100}
    | skickat\sfrån\s.{1,100} | sendt\sfra\s.{1,100} | skickat\smed\s.{1,100} | sendt\smed\s.{1,100}
    | lähetetty\s.{1,100}(?:sta|stä|lta|ltä)\b.{0,40}
    | wysłan[eoya]\s(?:z|za|przez)\s.{1,100}
    | odesláno\s(?:z|ze|pomocí)\s.{1,100} | odoslané\s(?:z|zo)\s.{1,100}
    | отправлено\s(?:с|из|со)\s.{1,100} | надіслано\s(?:з|із)\s.{1,100}
    | (?:.{1,40}\s)?(?:iphone|ipad|android|telefon|outlook|ios).{0,20}(?:gönderildi|gönderdim)
    | (?:küldve|elküldve)\s.{1,80} | trimis\s(?:de\spe|din|cu)\s.{1,80}
    | (?:我の\s?)?(?:iphone|ipad).{0,12}から送信.{0,6}
    | (?:发自|來自|来自|傳送自|寄自|从|從)\s?(?:我的?\s?)?.{1,40}
    | (?:내\s|나의\s)?(?:iphone|ipad|갤럭시|我).{0,12}에서\s(?:보냄|보냈).{0,10}
    )[\s>)\]*_.]{0,6}$""",
    re.IGNORECASE | re.VERBOSE,
)
"""A line that a phone or a mail program adds below the text."""

DISCLAIMER: Final = re.compile(
    r"""^[\s*_>-]{0,6}(?:
      (?:this|the\sinformation\s(?:contained\s)?in\sthis)\s(?:e-?mail|electronic\smail|message|communication|transmission)\b.{0,160}(?:confidential|intended|privileged)
    | (?:confidentiality|legal|important|privacy)\s(?:notice|disclaimer|note)\b | disclaimer\s?:
    | the\scontents?\sof\sthis\s(?:e-?mail|message)\b
    | (?:der\sinhalt\sdieser|diese)\s(?:e-?mail|nachricht)\b.{0,120}(?:vertraulich|bestimmt)
    | (?:ce|cet)\s(?:message|courriel|e-?mail|courrier)\b.{0,160}(?:confidenti|destin)
    | este\s(?:mensaje|correo|e-?mail|mensagem)\b.{0,160}(?:confidenci|destin) | esta\smensagem\b.{0,160}(?:confidenci|destin)
    | (?:questo\smessaggio|questa\se-?mail|le\sinformazioni\scontenute)\b.{0,160}(?:riservat|confidenzial|destinat)
    | (?:dit|deze)\s(?:bericht|e-?mail|mail)\b.{0,160}(?:vertrouwelijk|bestemd)
    | (?:detta|denne)\s(?:meddelande|e-?post|e-?mail|melding|besked)\b.{0,160}(?:konfidenti|fortrol)
    | tämä\s(?:viesti|sähköposti)\b.{0,160}luottamuksel
    | (?:ta|niniejsza)\swiadomość\b.{0,160}poufn | tato\szpráva\b.{0,160}důvěrn
    | (?:данное|это)\s(?:сообщение|письмо)\b.{0,160}конфиденц
    )""",
    re.IGNORECASE | re.VERBOSE,
)
"""The first line of a legal notice."""
