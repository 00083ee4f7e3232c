"""The words around quotations, by language: tables only, so that a language is one more row in each."""

from __future__ import annotations

import re
from typing import Final

from services.parser.tables import any_of, literal, phrases

WROTE: Final = literal("""
    en  wrote | writes | wrote the following | said
    de  schrieb | schreibt | geschrieben | folgendes geschrieben
    fr  a écrit | a ecrit | écrit
    es  escribió | escribio | ha escrito
    pt  escreveu
    it  ha scritto | scrisse
    nl  schreef | geschreven
    sv  skrev | skrev följande | följande
    da  skrev følgende | følgende
    fi  kirjoitti
    pl  napisał(a) | napisał | napisała | pisze
    cs  napsal(a) | napsal | napsala | píše
    sk  napísal(a) | napísal | napísala
    ru  написал(а) | написал | написала | писал(а) | писал | писала | пишет
    uk  написав(-ла) | написав(ла) | написав | написала | пише
    bg  написа
    hr  je napisao/la | je napisao | je napisala | je napisal
    hu  írta
    ro  a scris
    el  έγραψε
    tr  yazdı | şunu yazdı | şunları yazdı | yazmış
    lt  rašė | rakstīja | kirjutas
    ca  va escriure
    vi  đã viết | menulis
    he  כתב/ה | כתב | כתבה | كتب
    th  เขียน
    ja  のメール | 書きました | 書いた
    zh  写道 | 寫道 | 撰写 | 撰寫 | 写到 | 寫到
    ko  작성 | 쓴 | 썼습니다 | 이 쓴 글
""")
"""Verbs that end an attribution."""

WROTE_INSIDE: Final = literal("""
    de  schrieb | schreibt
    nl  schreef | heeft
    sv  skrev
    fi  kirjoitti
    pl  napisał | napisała
    cs  napsal | napsala
    fr  a écrit
    es  escribió
    pt  escreveu
    it  ha scritto
    hu  írta
    ru  написал | написала | пишет
""")
"""Verbs that may stand between the date and the name."""

OPENERS: Final = literal("""
    en  on | at
    de  am | von | von:
    fr  le
    es  el
    it  il | il giorno
    pt  em | no dia | a | em data de
    nl  op
    sv  den | d.
    pl  w dniu | dnia | o
    cs  dne | dňa | v
    ru  в | у | на
    ro  pe
    el  στις
    vi  vào | pada
    zh  在 | 於 | 于
""")
"""First words of an attribution that begins with its date."""

FIRST_PERSONS: Final = literal("""
    en  i | we
    de  ich | wir
    nl  ik | wij
    fr  je | nous
    es  yo | nosotros
    it  io | noi
    pt  eu | nós
    sv  jag | vi | jeg | minä
    pl  ja | my
    cs  já
    ru  я | мы | ми
    tr  ben | biz
""")
"""Next to such a verb they make it the sender's own sentence."""

_FIELDS: Final = {
    "from": """
        en  From
        de  Von
        fr  De | Expéditeur
        es  Remitente
        it  Da | Mittente
        pt  Remetente
        nl  Van | Afzender
        sv  Från | Avsändare | Fra | Avsender | Afsender
        fi  Lähettäjä
        pl  Od
        cs  Odesílatel | Odosielateľ
        ru  От | Отправитель
        uk  Від | Відправник
        tr  Kimden | Gönderen
        hu  Feladó
        ro  De la
        el  Από
        he  מאת | من
        ja  差出人 | 送信者
        zh  发件人 | 發件人 | 寄件者 | 寄件人
        ko  보낸 사람 | 보낸사람 | 발신
    """,
    "sent": """
        en  Sent | Date
        de  Gesendet | Datum
        fr  Envoyé | Envoyé le
        es  Enviado | Enviado el | Enviado a las | Fecha
        it  Inviato | Inviata | Data
        pt  Enviada | Enviada em | Enviado em
        nl  Verzonden
        sv  Skickat | Skickades | Sendt | Dato
        fi  Lähetetty | Päiväys | Päivämäärä
        pl  Wysłano | Wysłane
        cs  Odesláno | Odoslané
        ru  Отправлено | Дата | Дата и время
        uk  Надіслано
        tr  Gönderildi | Gönderme Tarihi | Tarih
        hu  Elküldve | Dátum
        ro  Trimis
        el  Ημερομηνία | Εστάλη
        he  נשלח
        ja  送信日時 | 日付 | 日時
        zh  发送时间 | 發送時間 | 傳送日期 | 日期 | 寄件日期 | 时间
        ko  보낸 날짜 | 날짜 | 일시
    """,
    "to": """
        en  To
        de  An | Empfänger
        fr  À | A | Pour | Destinataire
        es  Para | Destinatario
        nl  Aan
        sv  Till | Til
        fi  Vastaanottaja
        pl  Do
        cs  Komu
        ru  Кому
        tr  Kime | Alıcı
        hu  Címzett
        ro  Către
        el  Προς
        he  אל
        ja  宛先
        zh  收件人 | 收件者
        ko  받는 사람 | 받는사람 | 수신
    """,
    "cc": """
        en  Cc | Bcc
        de  Kopie
        sv  Kopia | Kopi | Kopio
        fr  Copie | Copia | Cópia
        ru  Копия | Копія
        tr  Bilgi
        hu  Másolat
        zh  抄送 | 副本
        ko  참조
    """,
    "subject": """
        en  Subject
        de  Betreff | Betr. | Betr | Thema
        fr  Objet | Sujet
        es  Asunto
        it  Oggetto
        pt  Assunto
        nl  Onderwerp
        sv  Ämne | Emne | Sag
        fi  Aihe
        pl  Temat
        cs  Předmět | Predmet
        ru  Тема
        tr  Konu
        hu  Tárgy
        ro  Subiect
        el  Θέμα
        he  נושא
        ja  件名
        zh  主题 | 主題 | 主旨 | 標題
        ko  제목
    """,
    "other": """
        en  Reply-To | Importance | Priority | Attachments | Organization | Message-ID | X-Mailer | Sender | Resent-From
        de  Wichtigkeit | Priorität | Anlagen | Antwort an
        fr  Répondre à | Newsgroups
    """,
}
HEADER_KEYS: Final[dict[str, str]] = {name.lower(): role for role, table in _FIELDS.items() for name in phrases(table)}
"""Field name as mail programs show it, lower case, to its role."""

ORIGINAL: Final = literal("""
    en  original message | originalmessage | original appointment | reply message | reply separator | message separator
    de  ursprüngliche nachricht | originalnachricht | ursprünglicher termin
    fr  message d'origine | message d\u2019origine | message original | message initial
    es  mensaje original
    it  messaggio originale
    pt  mensagem original
    nl  oorspronkelijk bericht | origineel bericht
    sv  ursprungligt meddelande | originalmeddelande
    da  oprindelig meddelelse | oprindelig besked | original besked | opprinnelig melding | original melding
    fi  alkuperäinen viesti
    pl  wiadomość oryginalna | oryginalna wiadomość
    cs  původní zpráva | původní e-mail | pôvodná správa
    ru  исходное сообщение | исходное письмо | оригинальное сообщение
    uk  початкове повідомлення | оригінальне повідомлення
    hu  eredeti üzenet
    ro  mesaj original | mesajul inițial
    tr  orijinal ileti | orijinal mesaj | özgün ileti
    el  αρχικό μήνυμα
    ja  元のメッセージ
    zh  原始邮件 | 原始信件 | 原始郵件
    ko  원본 메시지 | 원본 메일
""")
"""What stands between dashes above an answered mail."""

FORWARDED: Final = literal("""
    en  forwarded message | forwarded by | forwarded | begin forwarded message
    de  weitergeleitete nachricht | weitergeleitet von | weitergeleitete mail
    de  anfang der weitergeleiteten nachricht | anfang der weitergeleiteten e-mail
    fr  message transféré | message transmis | début du message transféré | début du message réexpédié
    es  mensaje reenviado | inicio del mensaje reenviado | comienzo del mensaje reenviado
    it  messaggio inoltrato | inizio messaggio inoltrato
    pt  mensagem encaminhada | mensagem reencaminhada
    pt  início da mensagem encaminhada | início da mensagem reencaminhada
    nl  doorgestuurd bericht | begin doorgestuurd bericht
    sv  vidarebefordrat meddelande | vidarebefordrat brev
    da  videresendt besked | videresendt meddelelse | start på videresendt besked | videresendt melding
    fi  välitetty viesti | edelleenlähetetty viesti
    pl  przekazana wiadomość | wiadomość przekazana dalej | początek przekazywanej wiadomości
    cs  přeposlaná zpráva | preposlaná správa
    ru  пересылаемое сообщение | пересланное сообщение
    uk  переслане повідомлення | переадресоване повідомлення
    hu  továbbított üzenet
    ro  mesaj redirecționat
    tr  iletilmiş mesaj | iletilen mesaj | yönlendirilmiş ileti
    el  προωθημένο μήνυμα
    ja  転送されたメッセージ | 転送メッセージ
    zh  转发邮件 | 转发的邮件 | 轉寄郵件 | 轉寄的郵件
    ko  전달된 메시지 | 전달된 메일
""")
"""What stands between dashes above a forwarded mail."""

ANSWER_SUBJECT: Final = re.compile(
    r"\s*(?:re|aw|antw(?:ort)?|sv|vs|odp|res|ref|rif|ynt|bls|atb|r|回复|回覆|答复|返信|회신|отв|απ)"
    r"\s?(?:\[\d{1,3}\])?\s?[:\uff1a]",
    re.IGNORECASE,
)
"""A subject that says answered."""

FORWARD_SUBJECT: Final = re.compile(
    r"\s*(?:fwd?|wg|tr|rv|enc|i|vs|vb|vl|pd|fs|doorst|dørst|пересл|ilt|trs|转发|轉寄|전달|転送|res?env|rif)"
    r"\s?(?:\[\d{1,3}\])?\s?[:\uff1a]",
    re.IGNORECASE,
)
"""A subject that says forwarded; `VS` and `RIF` are answers elsewhere, so the text decides too."""

_MOBILE: Final = r"""
    en  sent from \S.{0,100}
    en  sent (?:via|with|using|by) (?:the |my )?\S{0,20} ?(?:mail|app|mobile|phone)\b.{0,60}
    en  sent (?:via|with|using|by) (?:the |my )?(?:airmail|blackberry|galaxy|proton|spark|yahoo|outlook).{0,60}
    en  (?:someone )?from mobile
    en  from my (?:iphone|ipad|ipod|phone|mobile|android|blackberry|samsung)\b.{0,60} | get \[?outlook for \w.{0,80}
    de  (?:von|aus) (?:meine[mr]|unterwegs)\b.{0,80}(?:gesendet|geschickt) | gesendet (?:von|mit|über|aus) .{1,100}
    de  diese (?:nachricht|e-?mail|mail) wurde (?:von|mit) .{1,100}gesendet | von meinem .{1,80}gesendet
    de  mit (?:der|dem) .{1,80}gesendet | holen sie sich outlook für.{0,80}
    fr  envoyée?s? (?:de(?:puis)?|à partir de|avec|par|via|du) .{1,100} | (?:obtenez|télécharger?) outlook pour.{0,80}
    es  enviado (?:desde|do|de|a partir d[eo]|com|con|pelo|via|usando) .{1,100}
    pt  (?:obtenga|obtener|obter) outlook para.{0,80}
    it  inviat[oa] (?:da(?:l|lla)?|con|tramite) .{1,100} | (?:scarica|ottieni) outlook per.{0,80}
    nl  (?:verzonden|verstuurd) (?:vanaf|vanuit|met|via|van) .{1,100}
    sv  skickat (?:från|med) .{1,100}
    da  sendt (?:fra|med) .{1,100}
    fi  lähetetty .{1,100}(?:sta|stä|lta|ltä)\b.{0,40}
    pl  wysłan[eoya] (?:z|za|przez) .{1,100}
    cs  odesláno (?:z|ze|pomocí) .{1,100} | odoslané (?:z|zo) .{1,100}
    ru  отправлено (?:с|из|со) .{1,100}
    uk  надіслано (?:з|із) .{1,100}
    tr  (?:.{1,40} )?(?:iphone|ipad|android|telefon|outlook|ios).{0,20}(?:gönderildi|gönderdim)
    hu  (?:küldve|elküldve) .{1,80}
    ro  trimis (?:de pe|din|cu) .{1,80}
    ja  (?:私の ?)?(?:iphone|ipad).{0,12}から送信.{0,6}
    zh  (?:发自|來自|来自|傳送自|寄自|从|從) ?(?:我的? ?)?.{1,40}
    ko  (?:내 |나의 )?(?:iphone|ipad|갤럭시).{0,12}에서 (?:보냄|보냈).{0,10}
"""
MOBILE: Final = re.compile(
    rf"(?!.{{0,80}}\b(?:is|are|was|were|has|have)\b)"
    rf"[\s<(\[*_]{{0,6}}(?:{'|'.join(phrases(_MOBILE))})[\s>)\]*_.]{{0,6}}$",
    re.IGNORECASE,
)
"""A line that a phone or a mail program adds below the text; with a verb of its own it is a sentence."""

DEVICE: Final = any_of(r"""
    --  iphone | ipad | ipod | android | blackberry | samsung | galaxy | huawei | xiaomi | nokia | smartphone | outlook
    --  windows | yahoo | gmx | web\.de | k-9 | mailbox | t-mobile | verizon | proton | mobile | mobil(?:telefon|gerät)
""")
"""Words that make such a line sure, wherever it stands."""

_DISCLAIMERS: Final = r"""
    en  this (?:e-?mail|message|communication|transmission)\b.{0,160}(?:confidential|intended|privileged)
    en  the information (?:contained )?in this (?:e-?mail|message|communication)\b.{0,160}(?:confidential|intended)
    en  (?:confidentiality|legal|important|privacy) (?:notice|disclaimer|note)\b | disclaimer ?:
    en  the contents? of this (?:e-?mail|message)\b
    de  (?:der inhalt dieser|diese) (?:e-?mail|nachricht)\b.{0,120}(?:vertraulich|bestimmt)
    fr  (?:ce|cet) (?:message|courriel|e-?mail|courrier)\b.{0,160}(?:confidenti|destin)
    es  este (?:mensaje|correo|e-?mail)\b.{0,160}(?:confidenci|destin)
    pt  est[ae] (?:mensagem|e-?mail)\b.{0,160}(?:confidenci|destin)
    it  (?:questo messaggio|questa e-?mail|le informazioni contenute)\b.{0,160}(?:riservat|confidenzial|destinat)
    nl  (?:dit|deze) (?:bericht|e-?mail|mail)\b.{0,160}(?:vertrouwelijk|bestemd)
    sv  (?:detta|denne) (?:meddelande|e-?post|e-?mail|melding|besked)\b.{0,160}(?:konfidenti|fortrol)
    fi  tämä (?:viesti|sähköposti)\b.{0,160}luottamuksel
    pl  (?:ta|niniejsza) wiadomość\b.{0,160}poufn
    cs  tato zpráva\b.{0,160}důvěrn
    ru  (?:данное|это) (?:сообщение|письмо)\b.{0,160}конфиденц
"""
DISCLAIMER: Final = re.compile(rf"[\s*_>-]{{0,6}}(?:{'|'.join(phrases(_DISCLAIMERS))})", re.IGNORECASE)
"""The first line of a legal notice."""

FOOTER: Final = any_of(r"""
    en  confidential | unsubscribe | mailing list | mailman | listinfo | phone | \btel\b | \bfax\b | mobile?\b | \bwww\.
    en  signature | disclaimer | virus | avast
    de  vertraulich | abmelden
    fr  confidenti
    it  riservat
""")
"""Words of which a footer has at least one."""
