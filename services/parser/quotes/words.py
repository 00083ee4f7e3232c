"""The words around quotations, by language: tables only, so that a language is one more row in each."""

from __future__ import annotations

import re
from typing import Final

from services.parser.tables import any_in_lower, any_of, literal, phrases

WROTE: Final = literal("""
    en  wrote | writes | wrote the following | said | said the following
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
    bg  написа | напиша
    hr  je napisao/la | je napisao | je napisala | je napisal | napisao je | napisala je | napisao/la je
    sl  napisal | napisala
    sr  је написао/ла | је написао | је написала | је написао(ла)
    hu  írta
    ro  a scris
    el  έγραψε
    tr  yazdı | şunu yazdı | şunları yazdı | yazmış
    lt  rašė | rakstīja | kirjutas
    ca  va escriure
    vi  đã viết | menulis
    he  כתב/ה | כתב | כתבה | كتب
    th  เขียน | เขียนว่า
    fa  نوشت | نوشته است | تمت كتابة ما يلي
    ja  のメール | 書きました | 書いた | 書きました。
    zh  写道 | 寫道 | 撰写 | 撰寫 | 写到 | 寫到
    ko  작성 | 쓴 | 썼습니다 | 이 쓴 글 | 쓴 글
""")
"""Verbs that end an attribution."""

WROTE_INSIDE: Final = literal("""
    en  wrote | wrote the following | said the following
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
    tr  şunları yazdı | şunu yazdı | yazdı
    sk  napísal | napísala
    hr  je napisao | je napisala
    ro  a scris
    lt  rašė | rakstīja | kirjutas
    ca  va escriure
    vi  đã viết | menulis
    el  έγραψε
    ru  написал | написала | пишет
    uk  написав | написала | пише
    bg  написа
""")
"""Verbs between the date and the name, in either order."""

NAMING: Final = literal("""
    en  quoting | quoted from
    de  zitat von | zitiere
    fr  citation de | message de
    es  citando a | mensaje de
    pt  citando | citação de
    it  citando | citazione di
    nl  citeren | citaat van | bericht van
    sv  citerar | citat från
    da  citerer | citat fra
    fi  lainaus
    pl  wiadomość napisana przez | cytowanie
    cs  cituji
    ca  missatge de
    hu  idézet
    ru  цитирую
""")
"""First words of an attribution without a verb: the name follows."""

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
"""Next to such a verb they mark the sender's own sentence."""

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
        he  מאת
        ar  من
        fa  از
        bg  Изпращач
        hr  Šalje | Pošiljatelj | Pošiljalac
        sl  Pošiljatelj
        lt  Nuo
        et  Saatja
        vi  Từ
        th  จาก
        id  Dari
        ja  差出人 | 送信者
        zh  发件人 | 發件人 | 寄件者 | 寄件人
        ko  보낸 사람 | 보낸사람 | 발신
    """,
    "sent": """
        en  Sent | Date
        de  Gesendet | Verschickt | Datum
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
        hu  Elküldve | Küldve | Dátum
        ro  Trimis
        el  Ημερομηνία | Εστάλη | Στάλθηκε
        he  נשלח | תאריך
        ar  تم الإرسال | التاريخ
        fa  ارسال شده | تاریخ
        bg  Изпратено | Дата
        hr  Poslano | Poslato
        ca  Enviat el | Enviat
        lt  Išsiųsta | Data
        lv  Nosūtīts | Datums
        et  Saadetud | Kuupäev
        vi  Đã gửi | Ngày
        th  ส่ง | วันที่
        id  Dikirim | Tanggal
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
        ar  إلى
        fa  به
        bg  До
        hr  Prima | Za
        ca  Per a
        lt  Kam
        et  Adressaat | Saaja
        vi  Đến
        th  ถึง
        id  Kepada
        ja  宛先
        zh  收件人 | 收件者
        ko  받는 사람 | 받는사람 | 받은 사람 | 수신
    """,
    "cc": """
        en  Cc | Bcc
        de  Kopie
        sv  Kopia | Kopi | Kopio
        fr  Copie | Copia | Cópia
        ru  Копия | Копія
        tr  Bilgi
        hu  Másolat | Másolatot kap
        pl  DW | UDW
        cs  Kopie | Kópia
        zh  抄送 | 副本
        ko  참조
    """,
    "subject": """
        en  Subject
        de  Betreff | Betr. | Betr | Thema
        fr  Objet | Sujet
        es  Asunto
        it  Oggetto | Ogg
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
        ar  الموضوع
        fa  موضوع
        bg  Относно
        hr  Predmet | Naslov
        sl  Zadeva
        lv  Tēma
        et  Teema
        vi  Chủ đề
        th  เรื่อง
        id  Subjek | Perihal
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
    en  original message | originalmessage | original appointment | original e-mail
    en  reply message | reply separator | message separator
    de  ursprüngliche nachricht | originalnachricht | original-nachricht | original nachricht | ursprünglicher termin
    de  ursprüngliche mail | ursprüngliche e-mail | ursprüngliche mitteilung | original-mail
    fr  message d'origine | message d\u2019origine | message original | message initial
    fr  mail original | e-mail d'origine | e-mail d\u2019origine | e-mail original | courriel original
    es  mensaje original | correo original
    it  messaggio originale
    pt  mensagem original | e-mail original
    nl  oorspronkelijk bericht | origineel bericht | oorspronkelijke e-mail
    sv  ursprungligt meddelande | originalmeddelande
    da  oprindelig meddelelse | oprindelig besked | original besked | opprinnelig melding | original melding
    fi  alkuperäinen viesti
    pl  wiadomość oryginalna | oryginalna wiadomość | oryginalny e-mail
    cs  původní zpráva | původní e-mail | pôvodná správa
    ru  исходное сообщение | исходное письмо | оригинальное сообщение
    uk  початкове повідомлення | оригінальне повідомлення
    hu  eredeti üzenet
    ro  mesaj original | mesajul inițial
    tr  orijinal ileti | orijinal mesaj | özgün ileti
    el  αρχικό μήνυμα
    hr  izvorna poruka | originalna poruka
    sl  izvirno sporočilo
    bg  оригинално съобщение
    ca  missatge original
    lt  pradinis laiškas | originalus laiškas
    he  הודעה מקורית
    ar  الرسالة الأصلية
    vi  tin nhắn gốc | thư gốc
    id  pesan asli
    th  ข้อความต้นฉบับ
    ja  元のメッセージ
    zh  原始邮件 | 原始信件 | 原始郵件
    ko  원본 메시지 | 원본 메일 | 원본 이메일
""")
"""Text between dashes above an answered mail."""

REPLY_ABOVE: Final = any_of(r"""
    en  (?:reply|respond|answer|write|type|text) above this line | (?:do not|don't) (?:reply|write) below this line
    de  (?:über|oberhalb) dieser (?:zeile|linie)
    fr  (?:répon[ds]\w*|écri\w+) (?:.{1,20} )?au[- ]dessus de cette ligne
    es  (?:respond\w+|escrib\w+) (?:.{1,20} )?(?:encima|arriba) de esta línea
    it  (?:rispond\w+|scriv\w+) (?:.{1,20} )?sopra questa (?:riga|linea)
    pt  (?:respond\w+|escrev\w+) (?:.{1,20} )?acima desta linha
    nl  boven deze (?:regel|lijn)
""")
"""Text that service desks write above the mail to be answered."""

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
"""Text between dashes above a forwarded mail."""

ANSWERED: Final = literal("""
    en  re | res | ref
    de  aw | antw | antwort
    fr  rép | réf | rép.
    it  r | rif
    sv  sv | ang
    fi  vs
    pl  odp | odp.
    cs  atb
    hr  odg
    hu  vá | válasz
    tr  ynt | yan
    id  bls
    ru  ответ | отв
    uk  відповідь
    el  απ | αντ
    ja  返信
    zh  回复 | 回覆 | 答复 | 答覆
    ko  회신 | 답장
""")
"""Prefixes of the subject of an answer."""

PASSED: Final = literal("""
    en  fw | fwd | fs
    de  wg | weiterl
    fr  tr | trs
    es  rv | reenv | renv
    it  i | rif
    pt  enc
    nl  doorst
    sv  vb | vs
    da  vs | dørst
    fi  vl
    pl  pd
    hu  tov | továbbítás
    tr  ilt | i\u0307lt | İlt
    ru  пересл | пер
    zh  转发 | 轉寄
    ja  転送
    ko  전달
""")
"""Prefixes of the subject of a forward; `VS` and `RIF` mean answers in other languages, so the text decides too."""

_COUNT_AND_COLON: Final = r"\s?(?:\[\d{1,3}\]|\(\d{1,3}\))?\s?[:\uff1a]"
ANSWER_SUBJECT: Final = re.compile(rf"\s*(?:{ANSWERED}){_COUNT_AND_COLON}", re.IGNORECASE)
"""The subject of an answer."""

FORWARD_SUBJECT: Final = re.compile(rf"\s*(?:{PASSED}){_COUNT_AND_COLON}", re.IGNORECASE)
"""The subject of a forward."""

PASSED_ON: Final = re.compile(
    rf"\s*(?:\[[^\]\n]{{0,40}}\]\s*)?(?:{ANSWERED}|{PASSED}){_COUNT_AND_COLON}", re.IGNORECASE
)
"""The subject of an answer or a forward from a person's mail program, after the tag of a list."""

_PREFIXES: Final = re.compile(rf"(?:\s*(?:{ANSWERED}|{PASSED}){_COUNT_AND_COLON}){{1,20}}", re.IGNORECASE)


def bare_subject(subject: str) -> str:
    """A subject as two are compared: without prefixes of answers and forwards, blanks folded, in lower case."""
    found = _PREFIXES.match(subject[:1000])
    return " ".join(subject[found.end() if found else 0 : 1000].lower().split())


_ANSWERS: Final = """
    en  answer | reply | repli | respon | comment | remark | note | feedback | input
    de  antwort | anmerkung | kommentar | rückmeldung | ergänz | bemerkung
    fr  répond | répons | remarque | précision
    es  respuest | comentari | contest
    pt  respost | comentári
    it  rispost | rispond
    nl  antwoord | opmerking | reactie | commentaar
    sv  svar
    fi  vastau | kommentt
    pl  odpowied | komentarz | uwag
    cs  odpověd | odpoved | komentář | komentár
    hu  válasz | megjegyzés
    ro  răspuns
    tr  cevap | yanıt | yorum
    ru  ответ | отвеч | комментар
    uk  відповід | коментар
    el  απαντήσ | σχόλι
    ja  回答 | 返信 | 返答 | コメント
    zh  回复 | 回復 | 回覆 | 答复 | 答復 | 答覆
    ko  답변 | 회신 | 답장 | 의견
"""
_INSIDE: Final = r"""
    en  \b(?:below|underneath|in-?line|interspersed)\b
    en  \bin (?:red|blue|green|purple|bold|colou?r|capitals|caps|italics)\b
    en  \b(?:red|blue|green|bold|colou?red) (?:text|font|type)\b | \bbetween (?:the|your) lines\b
    en  \b(?:in|within) (?:the|your) (?:text|mail|e-?mail|message|original)\b | \bhighlighted\b | \bin brackets\b
    en  \b(?:next to|beside|behind|after|under|beneath|to) (?:each|every|the|your) (?:question|point|item)s?\b
    de  \bunten\b | \bdarunter\b | \bdazwischen\b | \b(?:rot|blau|grün|fett|farbig)(?:e[rmns]?)?\b | \bim text\b
    de  \bin (?:ihrer|deiner|der) (?:e-?mail|mail|nachricht)\b
    fr  ci-dessous | ci-après | plus bas | \ben (?:rouge|bleu|vert|gras|couleur)\b
    fr  \bdans (?:le|votre|ton) (?:texte|mail|message)\b
    es  abajo\b | debajo\b | a continuación | \ben (?:rojo|azul|verde|negrita|color)\b
    es  \ben (?:el|su|tu) (?:texto|correo|mensaje)\b
    pt  abaixo\b | a seguir\b | \bem (?:vermelho|azul|verde|negrito)\b | \bno (?:texto|seu e-?mail)\b
    it  \bsotto\b | di seguito | \bin (?:rosso|blu|verde|grassetto)\b | \bnel testo\b
    nl  \bonder\b | hieronder | \bin (?:het )?(?:rood|blauw|groen|vet)\b | \btussen de (?:regels|tekst)\b
    nl  \bin (?:de|uw) (?:tekst|mail)\b
    sv  nedan\b | nedenfor\b | \bi (?:rött|rødt|röd|blått|grönt)\b
    fi  \balla\b | punaisella | sinisellä
    pl  poniżej | niżej | czerwon | niebiesk | w tekście
    cs  \bníže | nižšie | červen | modř | v textu
    hu  alább | \blent\b | piros | \bkék
    ro  mai jos | \broșu | albastru
    tr  aşağıda | kırmızı | \bmavi
    ru  ниже\b | красн | \bсин(?:им|ий|ем) | в тексте
    uk  нижче | червон | у тексті
    el  παρακάτω | κόκκινο
    ja  下記 | 以下 | 赤字 | 青字 | 赤色 | インライン | 本文中
    zh  如下 | 下[方面文] | [红紅][色字] | [蓝藍][色字]
    ko  아래 | 빨간 | 붉은 | 파란 | 본문
"""
_SEE_BELOW: Final = r"""
    en  \bsee\b[^.!?\n]{0,30}?\b(?:below|in-?line|in (?:red|blue|green|bold)|(?:red|blue|green|bold) text)\b
    de  \bsiehe (?:unten|inline)\b
    fr  \bvoir (?:ci-dessous|plus bas)\b
    es  \bver (?:más )?abajo\b
    pt  \b(?:ver|veja) abaixo\b
    it  \bvedi sotto\b
    nl  \bzie (?:onder|hieronder)\b
    sv  \bse (?:nedan|nedenfor)\b
    zh  [见見]下[文方]
"""
_BELOW: Final = """
    --  below | inline | in-line | in red | in blue | in green | in bold | red text | blue text | green text | bold text
    --  unten | ci-dessous | plus bas | abajo | abaixo | sotto | onder | nedan | nedenfor | 见下 | 見下
"""
_SAYS: Final = "|".join(phrases(_ANSWERS))
_WHERE: Final = "|".join(phrases(_INSIDE))
_ANSWERS_INSIDE: Final = re.compile(
    rf"(?:{_SAYS})[^.!?\n]{{0,60}}?(?:{_WHERE})|(?:{_WHERE})[^.!?\n]{{0,40}}?(?:{_SAYS})|{'|'.join(phrases(_SEE_BELOW))}"
)
_SIGNS: Final = (*phrases(_ANSWERS), *phrases(_BELOW))
"""A text without one of these says nothing about answers. Cheap."""


def announces_answers(text: str) -> bool:
    """Whether a text says that answers stand inside the quoted mail."""
    lower = text.lower()
    return any(sign in lower for sign in _SIGNS) and bool(_ANSWERS_INSIDE.search(lower))


_MOBILE: Final = r"""
    en  sent from my .{1,100} | sent from \S+(?: \S+){0,3}
    en  sent from .{1,60}\b(?:app|mail|phone|smartphone|tablet|device|mobile|android|ios|iphone|ipad|windows)\b.{0,40}
    en  sent (?:via|with|using|by) (?:the |my )?\S{0,20} ?(?:mail|app|mobile|phone)\b.{0,60}
    en  sent (?:via|with|using|by) (?:the |my )?(?:airmail|blackberry|galaxy|samsung|proton|spark|yahoo|outlook).{0,60}
    en  sent (?:via|with|using|by) (?:the |my )?(?:mail\w+|canary|front|superhuman|shortwave|hey|missive|nine).{0,60}
    en  (?:someone )?from mobile | get \w{2,20} for (?:android|ios|iphone|ipad|mobile|mac|windows).{0,60}
    en  from my (?:iphone|ipad|ipod|phone|mobile|android|blackberry|samsung)\b.{0,60} | get \[?outlook for \w.{0,80}
    de  (?:von|aus) (?:meine[mr]|unterwegs)\b.{0,80}(?:gesendet|geschickt) | gesendet (?:von|mit|über|aus) .{1,100}
    de  diese (?:nachricht|e-?mail|mail) wurde (?:von|mit) .{1,100}gesendet | von meinem .{1,80}gesendet
    de  mit (?:der|dem) .{1,80}gesendet | holen sie sich \w{2,20} für.{0,80} | mobil gesendet | von unterwegs
    fr  envoyée?s? (?:de(?:puis)?|à partir de|avec|par|via|du) .{1,100} | (?:obten\w+|télécharger?) \w{2,20} pour.{0,80}
    es  enviado (?:desde|do|de|a partir d[eo]|com|con|pelo|via|usando) .{1,100}
    it  inviat[oa] (?:da(?:l|lla)?|con|tramite) .{1,100}
    nl  (?:verzonden|verstuurd) (?:vanaf|vanuit|met|via|van) .{1,100}
    sv  skickat (?:från|med) .{1,100}
    da  sendt (?:fra|med) .{1,100}
    fi  lähetetty .{1,100}(?:sta|stä|lta|ltä)\b.{0,40}
    pl  wysłan[eoya] (?:z|za|przez) .{1,100}
    cs  odesláno (?:z|ze|pomocí) .{1,100} | odoslané (?:z|zo) .{1,100}
    hr  (?:poslano|poslato) (?:s|sa|iz|z|od) .{1,60}
    bg  изпратено от .{1,60}
    ru  отправлено (?:с|из|со) .{1,100}
    uk  надіслано (?:з|із) .{1,100}
    tr  (?:.{1,40} )?(?:iphone|ipad|android|telefon|outlook|ios|samsung|galaxy|cihaz).{0,20}(?:gönderildi|gönderdim)
    hu  (?:küldve|elküldve|küldés) .{1,80} | (?:iphone|ipad|android|galaxy)\S{0,12} küldve
    ro  trimis (?:de pe|din|cu) .{1,80}
    el  (?:εστάλη|στάλθηκε) από .{1,60}
    ca  enviat (?:des del?|amb) .{1,60}
    he  נשלח מ.{1,60}
    ar  (?:تم الإرسال|أُرسلت|مُرسل) من .{1,60}
    th  ส่งจาก .{1,60}
    vi  đã gửi từ .{1,60} | gửi từ .{1,60}
    id  (?:dikirim|terkirim) dari .{1,60}
    ja  .{0,20}(?:iphone|ipad|android|スマートフォン|携帯|アプリ|メール).{0,12}から送信.{0,6}
    zh  (?:发自|發自|來自|来自|傳送自|发送自|寄自) ?(?:我的? ?)?.{1,40}
    zh  (?:从|從) ?(?:我的? ?)?.{1,40}(?:[发發]送|傳送|寄出|[发發]出)
    zh  (?:获取|取得|下载|下載) outlook .{1,20}
    ko  (?:내 |나의 )?(?:iphone|ipad|갤럭시|galaxy|samsung).{0,12}에서 (?:보냄|보냈).{0,10}
    --  (?:\S{1,16} ){0,3}outlook (?:for|für|pour|para|per|voor|för|pro|dla systemu|для) (?:ios|android)(?: ?<.{0,80})?
    --  outlook (?:for|für|voor|för|için) (?:ios|android)[ をの]{1,2}(?:beziehen|downloaden|edinin|indir|入手|取得|下載)
    --  (?:ios|android)용 outlook.{0,12}
"""
_MOBILE_LINE: Final = re.compile(rf"[\s<(\[*_]{{0,6}}(?:{'|'.join(phrases(_MOBILE))})[\s>)\]*_.]{{0,6}}$")
_SENTENCE: Final = re.compile(r".{0,80}\b(?:is|are|was|were|has|have)\b")


def is_mobile(lower: str) -> bool:
    """Whether a line, in lower case, is one that a phone or a mail program adds below the text.

    With a verb of its own it is a sentence.
    """
    return bool(_MOBILE_LINE.match(lower)) and not _SENTENCE.match(lower)


DEVICE: Final = any_of(r"""
    --  iphone | ipad | ipod | android | blackberry | samsung | galaxy | huawei | xiaomi | nokia | smartphone | outlook
    --  windows | yahoo | gmx | web\.de | k-9 | mailbox | t-mobile | verizon | proton | mobile | mobil(?:telefon|gerät)
""")
"""Words that identify such a line at any position."""

_DISCLAIMERS: Final = r"""
    en  this (?:e-?mail|message|communication|transmission)\b.{0,160}(?:confidential|intended|privileged)
    en  the information (?:contained )?in this (?:e-?mail|message|communication)\b.{0,160}(?:confidential|intended)
    en  (?:confidentiality|legal|important|privacy) (?:notice|disclaimer|note)\b | disclaimer ?:
    en  the contents? of this (?:e-?mail|message)\b | if you are not the (?:intended|named) (?:recipient|addressee)
    en  please (?:consider|think of|think about) the environment before | virus-?free\.
    en  this (?:e-?mail|message) (?:has been|was) (?:checked|scanned) (?:for viruses|by)
    de  (?:der inhalt dieser|diese) (?:e-?mail|nachricht)\b.{0,120}(?:vertraulich|bestimmt)
    de  (?:rechtlicher )?hinweis ?: diese (?:e-?mail|nachricht)\b.{0,120}(?:vertraulich|bestimmt)
    de  (?:vertraulichkeitshinweis|haftungsausschluss|disclaimer)\b
    de  diese (?:e-?mail|nachricht) wurde von .{1,60}auf viren
    de  (?:bitte )?(?:denken sie an|schonen sie) die umwelt,? bevor
    fr  (?:ce|cet) (?:message|courriel|e-?mail|courrier)\b.{0,160}(?:confidenti|destin)
    fr  avis de confidentialité\b | (?:cet|l['\u2019]) ?(?:e-?mail|absence de virus) .{0,60}(?:vérifié|avast)
    es  este (?:mensaje|correo|e-?mail)\b.{0,160}(?:confidenci|destin) | aviso (?:legal|de confidencialidad)\b
    es  la información contenida en este (?:mensaje|correo)\b
    pt  est[ae] (?:mensagem|e-?mail)\b.{0,160}(?:confidenci|destin) | aviso (?:legal|de confidencialidade)\b
    it  (?:questo messaggio|questa e-?mail|le informazioni contenute)\b.{0,160}(?:riservat|confidenzial|destinat)
    it  ai sensi del .{1,160}(?:riservat|confidenzial|destinat) | avviso di riservatezza\b
    nl  (?:dit|deze) (?:bericht|e-?mail|mail)\b.{0,160}(?:vertrouwelijk|bestemd)
    nl  de (?:informatie|inhoud) (?:in|van) (?:dit|deze) [\w-]{1,20}\b.{0,160}(?:vertrouwelijk|bestemd)
    sv  (?:detta|denne) (?:meddelande|e-?post|e-?mail|melding|besked)\b.{0,160}(?:konfidenti|fortrol)
    fi  tämä (?:viesti|sähköposti)\b.{0,160}luottamuksel
    pl  (?:ta|niniejsza) wiadomość\b.{0,160}poufn | (?:treść|zawartość) (?:tej|niniejszej) wiadomości\b.{0,160}poufn
    cs  tato zpráva\b.{0,160}důvěrn
    hu  ez az (?:üzenet|e-?mail)\b.{0,160}bizalmas
    ro  acest (?:mesaj|e-?mail)\b.{0,160}confiden
    tr  bu (?:e-?posta|mesaj|ileti)\b.{0,160}(?:gizli|yasal)
    el  (?:αυτό το|το παρόν) (?:μήνυμα|e-?mail)\b.{0,160}εμπιστευτικ
    ru  (?:данное|это|настоящее) (?:электронное )?(?:сообщение|письмо)\b.{0,160}конфиденц
    uk  (?:дане|це) (?:повідомлення|лист)\b.{0,160}конфіденц
    ja  (?:この|本)(?:電子)?メール.{0,80}(?:機密|秘密)
    zh  (?:本|此)(?:电子)?(?:邮件|郵件|信件).{0,60}(?:保密|机密|機密)
    ko  (?:이|본) (?:전자)?(?:메일|우편).{0,80}(?:기밀|비밀)
"""
DISCLAIMER: Final = re.compile(rf"[\s*_>-]{{0,6}}(?:{'|'.join(phrases(_DISCLAIMERS))})", re.IGNORECASE)
"""The first line of a legal notice."""

FOOTER: Final = any_in_lower(r"""
    en  confidential | unsubscribe | mailing list | mailman | listinfo | phone | \btel\b | \bfax\b | mobile?\b | \bwww\.
    en  signature | disclaimer | virus | avast
    de  vertraulich | abmelden
    fr  confidenti
    it  riservat
""")
"""Words of which a footer has at least one; for text in lower case."""
