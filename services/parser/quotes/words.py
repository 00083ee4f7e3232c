"""The words around quotations, by language: tables only, so that a language is one more entry in each.

Languages: en de fr es pt it nl sv da no fi pl cs sk ru uk bg hu ro el tr ja zh ko and some more.
"""

from __future__ import annotations

import re
from typing import Final

WROTE: Final = (
    "wrote", "writes", "wrote the following", "said", "schrieb", "schreibt", "geschrieben", "folgendes geschrieben", "a \u00e9crit",
    "a ecrit", "\u00e9crit", "escribi\u00f3", "escribio", "ha escrito", "escreveu", "ha scritto", "scrisse", "schreef", "geschreven",
    "skrev", "skrev f\u00f6ljande", "skrev f\u00f8lgende", "f\u00f6ljande", "f\u00f8lgende", "kirjoitti", "napisa\u0142(a)", "napisa\u0142",
    "napisa\u0142a", "pisze", "napsal(a)", "napsal", "napsala", "nap\u00edsal", "nap\u00edsal(a)", "nap\u00edsala", "p\u00ed\u0161e",
    "\u043d\u0430\u043f\u0438\u0441\u0430\u043b", "\u043d\u0430\u043f\u0438\u0441\u0430\u043b(\u0430)", "\u043d\u0430\u043f\u0438\u0441\u0430\u043b\u0430",
    "\u043f\u0438\u0441\u0430\u043b", "\u043f\u0438\u0441\u0430\u043b(\u0430)", "\u043f\u0438\u0441\u0430\u043b\u0430", "\u043f\u0438\u0448\u0435\u0442",
    "\u043d\u0430\u043f\u0438\u0441\u0430\u0432", "\u043d\u0430\u043f\u0438\u0441\u0430\u043b\u0430", "\u043f\u0438\u0448\u0435", "\u043d\u0430\u043f\u0438\u0441\u0430",
    "\u043d\u0430\u043f\u0438\u0441\u0430\u0432(-\u043b\u0430)", "\u043d\u0430\u043f\u0438\u0441\u0430\u0432(\u043b\u0430)", "\u00edrta", "a scris", "\u03ad\u03b3\u03c1\u03b1\u03c8\u03b5",
    "yazd\u0131", "\u015funu yazd\u0131", "\u015funlar\u0131 yazd\u0131", "yazm\u0131\u015f", "je napisao", "je napisala", "je napisal", "je napisao/la",
    "ra\u0161\u0117", "rakst\u012bja", "kirjutas", "va escriure", "\u0111\u00e3 vi\u1ebft", "menulis", "\u05db\u05ea\u05d1", "\u05db\u05ea\u05d1\u05d4", "\u05db\u05ea\u05d1/\u05d4",
    "\u0643\u062a\u0628", "\u0e40\u0e02\u0e35\u0e22\u0e19", "\u5199\u9053", "\u5beb\u9053", "\u64b0\u5199", "\u64b0\u5beb", "\u5199\u5230", "\u5beb\u5230",
    "\u306e\u30e1\u30fc\u30eb", "\u66f8\u304d\u307e\u3057\u305f", "\u66f8\u3044\u305f", "\uc791\uc131", "\uc4f4", "\uc37c\uc2b5\ub2c8\ub2e4", "\uc774 \uc4f4 \uae00",
)  # fmt: skip
"""Verbs that end an attribution."""

WROTE_INSIDE: Final = (
    "schrieb", "schreibt", "schreef", "skrev", "kirjoitti", "napisa\u0142", "napisa\u0142a", "napsal", "napsala", "escribi\u00f3",
    "wrote", "a \u00e9crit", "\u00edrta", "\u043d\u0430\u043f\u0438\u0441\u0430\u043b", "\u043d\u0430\u043f\u0438\u0441\u0430\u043b\u0430", "heeft", "\u043f\u0438\u0448\u0435\u0442",
)  # fmt: skip
"""Verbs that may stand between the date and the name."""

OPENERS: Final = (
    "on", "am", "le", "el", "il", "em", "no dia", "op", "den", "d.", "w dniu", "dnia", "dne", "d\u0148a", "\u0432", "\u0443", "\u043d\u0430", "pe",
    "\u03c3\u03c4\u03b9\u03c2", "v", "pada", "v\u00e0o", "a", "at", "o", "\u5728", "\u65bc", "\u4e8e", "il giorno", "em data de", "von", "von:",
)  # fmt: skip
"""First words of an attribution that begins with its date."""

_KEYS: Final = {
    "from": "from von de da van fr\u00e5n fra l\u00e4hett\u00e4j\u00e4 od \u043e\u0442 \u0432\u0456\u0434 kimden g\u00f6nderen \u5dee\u51fa\u4eba \u9001\u4fe1\u8005 \u53d1\u4ef6\u4eba \u767c\u4ef6\u4eba "
            "\u5bc4\u4ef6\u8005 \u5bc4\u4ef6\u4eba \ubcf4\ub0b8_\uc0ac\ub78c \ubcf4\ub0b8\uc0ac\ub78c \ubc1c\uc2e0 felad\u00f3 de_la \u03b1\u03c0\u03cc exp\u00e9diteur remitente mittente "
            "afzender avs\u00e4ndare avsender afsender remetente odes\u00edlatel odosielate\u013e \u043e\u0442\u043f\u0440\u0430\u0432\u0438\u0442\u0435\u043b\u044c \u0432\u0456\u0434\u043f\u0440\u0430\u0432\u043d\u0438\u043a \u05de\u05d0\u05ea \u0645\u0646",
    "sent": "sent date gesendet datum envoy\u00e9 envoy\u00e9_le enviado enviado_el enviada_em enviado_em enviado_a_las enviada fecha "
            "data inviato inviata verzonden skickat skickades sendt dato l\u00e4hetetty p\u00e4iv\u00e4ys p\u00e4iv\u00e4m\u00e4\u00e4r\u00e4 wys\u0142ano wys\u0142ane odesl\u00e1no odoslan\u00e9 "
            "\u043e\u0442\u043f\u0440\u0430\u0432\u043b\u0435\u043d\u043e \u0434\u0430\u0442\u0430 \u043d\u0430\u0434\u0456\u0441\u043b\u0430\u043d\u043e \u0434\u0430\u0442\u0430_\u0438_\u0432\u0440\u0435\u043c\u044f g\u00f6nderildi g\u00f6nderme_tarihi tarih \u9001\u4fe1\u65e5\u6642 \u65e5\u4ed8 \u65e5\u6642 \u53d1\u9001\u65f6\u95f4 "
            "\u767c\u9001\u6642\u9593 \u50b3\u9001\u65e5\u671f \u65e5\u671f \u5bc4\u4ef6\u65e5\u671f \u65f6\u95f4 \ubcf4\ub0b8_\ub0a0\uc9dc \ub0a0\uc9dc \uc77c\uc2dc elk\u00fcldve d\u00e1tum trimis \u03b7\u03bc\u03b5\u03c1\u03bf\u03bc\u03b7\u03bd\u03af\u03b1 \u03b5\u03c3\u03c4\u03ac\u03bb\u03b7 \u05e0\u05e9\u05dc\u05d7",
    "to": "to an \u00e0 a pour para aan till til vastaanottaja do komu \u043a\u043e\u043c\u0443 kime al\u0131c\u0131 \u5b9b\u5148 \u6536\u4ef6\u4eba \u6536\u4ef6\u8005 \ubc1b\ub294_\uc0ac\ub78c \ubc1b\ub294\uc0ac\ub78c \uc218\uc2e0 c\u00edmzett "
          "c\u0103tre \u03c0\u03c1\u03bf\u03c2 destinataire destinatario emp\u00e4nger \u05d0\u05dc",
    "cc": "cc bcc kopie kopia kopi copie copia c\u00f3pia kopio \u043a\u043e\u043f\u0438\u044f \u043a\u043e\u043f\u0456\u044f bilgi \u6284\u9001 \u526f\u672c \ucc38\uc870 m\u00e1solat",
    "subject": "subject betreff betr. betr objet asunto oggetto assunto onderwerp \u00e4mne emne aihe temat p\u0159edm\u011bt predmet \u0442\u0435\u043c\u0430 konu \u4ef6\u540d "
               "\u4e3b\u9898 \u4e3b\u984c \u4e3b\u65e8 \u6a19\u984c \uc81c\ubaa9 t\u00e1rgy subiect \u03b8\u03ad\u03bc\u03b1 sujet thema sag \u05e0\u05d5\u05e9\u05d0",
    "other": "reply-to importance wichtigkeit priority attachments anlagen organization message-id x-mailer sender resent-from "
             "priorit\u00e4t antwort_an r\u00e9pondre_\u00e0 newsgroups",
}  # fmt: skip
HEADER_KEYS: Final[dict[str, str]] = {
    word.replace("_", " "): role for role, words in _KEYS.items() for word in words.split()
}
"""Field name as mail programs show it, lower case, to its role."""

ORIGINAL: Final = (
    "original message", "originalmessage", "original appointment", "reply message", "reply separator", "message separator", "urspr\u00fcngliche nachricht",
    "originalnachricht", "urspr\u00fcnglicher termin", "message d'origine", "message original", "message d\u2019origine", "message initial", "mensaje original",
    "messaggio originale", "mensagem original", "oorspronkelijk bericht", "origineel bericht", "ursprungligt meddelande", "originalmeddelande",
    "oprindelig meddelelse", "oprindelig besked", "original besked", "opprinnelig melding", "original melding", "alkuper\u00e4inen viesti",
    "wiadomo\u015b\u0107 oryginalna", "oryginalna wiadomo\u015b\u0107", "p\u016fvodn\u00ed zpr\u00e1va", "p\u016fvodn\u00ed e-mail", "p\u00f4vodn\u00e1 spr\u00e1va",
    "\u0438\u0441\u0445\u043e\u0434\u043d\u043e\u0435 \u0441\u043e\u043e\u0431\u0449\u0435\u043d\u0438\u0435", "\u0438\u0441\u0445\u043e\u0434\u043d\u043e\u0435 \u043f\u0438\u0441\u044c\u043c\u043e", "\u043e\u0440\u0438\u0433\u0438\u043d\u0430\u043b\u044c\u043d\u043e\u0435 \u0441\u043e\u043e\u0431\u0449\u0435\u043d\u0438\u0435", "\u043f\u043e\u0447\u0430\u0442\u043a\u043e\u0432\u0435 \u043f\u043e\u0432\u0456\u0434\u043e\u043c\u043b\u0435\u043d\u043d\u044f",
    "\u043e\u0440\u0438\u0433\u0456\u043d\u0430\u043b\u044c\u043d\u0435 \u043f\u043e\u0432\u0456\u0434\u043e\u043c\u043b\u0435\u043d\u043d\u044f", "eredeti \u00fczenet", "mesaj original", "mesajul ini\u021bial", "orijinal ileti", "orijinal mesaj", "\u00f6zg\u00fcn ileti",
    "\u5143\u306e\u30e1\u30c3\u30bb\u30fc\u30b8", "\u539f\u59cb\u90ae\u4ef6", "\u539f\u59cb\u4fe1\u4ef6", "\u539f\u59cb\u90f5\u4ef6", "\uc6d0\ubcf8 \uba54\uc2dc\uc9c0", "\uc6d0\ubcf8 \uba54\uc77c", "\u03b1\u03c1\u03c7\u03b9\u03ba\u03cc \u03bc\u03ae\u03bd\u03c5\u03bc\u03b1",
)  # fmt: skip

FORWARDED: Final = (
    "forwarded message", "forwarded by", "forwarded", "begin forwarded message", "weitergeleitete nachricht", "weitergeleitet von", "weitergeleitete mail",
    "anfang der weitergeleiteten nachricht", "anfang der weitergeleiteten e-mail", "message transf\u00e9r\u00e9", "message transmis", "d\u00e9but du message transf\u00e9r\u00e9",
    "d\u00e9but du message r\u00e9exp\u00e9di\u00e9", "mensaje reenviado", "inicio del mensaje reenviado", "comienzo del mensaje reenviado", "messaggio inoltrato",
    "inizio messaggio inoltrato", "mensagem encaminhada", "mensagem reencaminhada", "in\u00edcio da mensagem encaminhada", "in\u00edcio da mensagem reencaminhada",
    "doorgestuurd bericht", "begin doorgestuurd bericht", "vidarebefordrat meddelande", "vidarebefordrat brev", "videresendt besked", "videresendt meddelelse",
    "videresendt melding", "start p\u00e5 videresendt besked", "v\u00e4litetty viesti", "edelleenl\u00e4hetetty viesti", "przekazana wiadomo\u015b\u0107",
    "wiadomo\u015b\u0107 przekazana dalej", "pocz\u0105tek przekazywanej wiadomo\u015bci", "p\u0159eposlan\u00e1 zpr\u00e1va", "preposlan\u00e1 spr\u00e1va", "\u043f\u0435\u0440\u0435\u0441\u044b\u043b\u0430\u0435\u043c\u043e\u0435 \u0441\u043e\u043e\u0431\u0449\u0435\u043d\u0438\u0435",
    "\u043f\u0435\u0440\u0435\u0441\u043b\u0430\u043d\u043d\u043e\u0435 \u0441\u043e\u043e\u0431\u0449\u0435\u043d\u0438\u0435", "\u043f\u0435\u0440\u0435\u0441\u043b\u0430\u043d\u0435 \u043f\u043e\u0432\u0456\u0434\u043e\u043c\u043b\u0435\u043d\u043d\u044f", "\u043f\u0435\u0440\u0435\u0430\u0434\u0440\u0435\u0441\u043e\u0432\u0430\u043d\u0435 \u043f\u043e\u0432\u0456\u0434\u043e\u043c\u043b\u0435\u043d\u043d\u044f",
    "tov\u00e1bb\u00edtott \u00fczenet", "mesaj redirec\u021bionat", "iletilmi\u015f mesaj", "iletilen mesaj", "y\u00f6nlendirilmi\u015f ileti", "\u8ee2\u9001\u3055\u308c\u305f\u30e1\u30c3\u30bb\u30fc\u30b8", "\u8ee2\u9001\u30e1\u30c3\u30bb\u30fc\u30b8",
    "\u8f6c\u53d1\u90ae\u4ef6", "\u8f6c\u53d1\u7684\u90ae\u4ef6", "\u8f49\u5bc4\u90f5\u4ef6", "\u8f49\u5bc4\u7684\u90f5\u4ef6", "\uc804\ub2ec\ub41c \uba54\uc2dc\uc9c0", "\uc804\ub2ec\ub41c \uba54\uc77c", "\u03c0\u03c1\u03bf\u03c9\u03b8\u03b7\u03bc\u03ad\u03bd\u03bf \u03bc\u03ae\u03bd\u03c5\u03bc\u03b1",
)  # fmt: skip

FORWARD_SUBJECT: Final = re.compile(
    r"\s*(?:fwd?|wg|tr|rv|enc|i|vs|vb|vl|pd|fs|doorst|d\u00f8rst|\u043f\u0435\u0440\u0435\u0441\u043b|ilt|trs|\u8f6c\u53d1|\u8f49\u5bc4|\uc804\ub2ec|\u8ee2\u9001|res?env|rif)\s?(?:\[\d{1,3}\])?\s?[:\uff1a]",
    re.IGNORECASE,
)
"""A subject that says forwarded; `VS` is an answer in Finnish and a forward in Dutch, so text decides too."""

MOBILE: Final = re.compile(
    r"""^[\s<(\[*_]{0,6}(?:
      sent\s(?:a\s\S+\s)?(?:from|via|with|using|by)\s\S.{0,100}
    | from\smy\s(?:iphone|ipad|ipod|phone|mobile|android|blackberry|samsung)\b.{0,60}
    | get\s\[?outlook\sfor\s\w+.{0,80}
    | (?:someone\s)?from\smobile
    | (?:von|aus)\s(?:meine[mr]|unterwegs)\b.{0,80}(?:gesendet|geschickt)
    | (?:diese\s(?:nachricht|e-?mail|mail)\swurde\s)?(?:von\smeinem|mit\s(?:der|dem)).{1,80}gesendet
    | diese\snachricht\swurde\svon\s.{1,100}gesendet
    | gesendet\s(?:von|mit|\u00fcber|aus)\s.{1,100}
    | holen\ssie\ssich\soutlook\sf\u00fcr.{0,80}
    | envoy\u00e9e?s?\s(?:de(?:puis)?|\u00e0\spartir\sde|avec|par|via|du)\s.{1,100}
    | (?:obtenez|t\u00e9l\u00e9charger?)\soutlook\spour.{0,80}
    | enviado\s(?:desde|do|de|a\spartir\sd[eo]|com|con|pelo|via|usando)\s.{1,100}
    | (?:obtenga|obter|obtener)\soutlook\spara.{0,80}
    | inviat[oa]\s(?:da(?:l|lla)?|con|tramite)\s.{1,100}
    | (?:scarica|ottieni)\soutlook\sper.{0,80}
    | (?:verzonden|verstuurd)\s(?:vanaf|vanuit|met|via|van)\s.{1,100}
    | skickat\sfr\u00e5n\s.{1,100} | sendt\sfra\s.{1,100} | skickat\smed\s.{1,100} | sendt\smed\s.{1,100}
    | l\u00e4hetetty\s.{1,100}(?:sta|st\u00e4|lta|lt\u00e4)\b.{0,40}
    | wys\u0142an[eoya]\s(?:z|za|przez)\s.{1,100}
    | odesl\u00e1no\s(?:z|ze|pomoc\u00ed)\s.{1,100} | odoslan\u00e9\s(?:z|zo)\s.{1,100}
    | \u043e\u0442\u043f\u0440\u0430\u0432\u043b\u0435\u043d\u043e\s(?:\u0441|\u0438\u0437|\u0441\u043e)\s.{1,100} | \u043d\u0430\u0434\u0456\u0441\u043b\u0430\u043d\u043e\s(?:\u0437|\u0456\u0437)\s.{1,100}
    | (?:.{1,40}\s)?(?:iphone|ipad|android|telefon|outlook|ios).{0,20}(?:g\u00f6nderildi|g\u00f6nderdim)
    | (?:k\u00fcldve|elk\u00fcldve)\s.{1,80} | trimis\s(?:de\spe|din|cu)\s.{1,80}
    | (?:\u6211\u306e\s?)?(?:iphone|ipad).{0,12}\u304b\u3089\u9001\u4fe1.{0,6}
    | (?:\u53d1\u81ea|\u4f86\u81ea|\u6765\u81ea|\u50b3\u9001\u81ea|\u5bc4\u81ea|\u4ece|\u5f9e)\s?(?:\u6211\u7684?\s?)?.{1,40}
    | (?:\ub0b4\s)?(?:iphone|ipad|\uac24\ub7ed\uc2dc|\u6211).{0,12}\uc5d0\uc11c\s(?:\ubcf4\ub0c4|\ubcf4\ub0c8).{0,10}
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
    | t\u00e4m\u00e4\s(?:viesti|s\u00e4hk\u00f6posti)\b.{0,160}luottamuksel
    | (?:ta|niniejsza)\swiadomo\u015b\u0107\b.{0,160}poufn | tato\szpr\u00e1va\b.{0,160}d\u016fv\u011brn
    | (?:\u0434\u0430\u043d\u043d\u043e\u0435|\u044d\u0442\u043e)\s(?:\u0441\u043e\u043e\u0431\u0449\u0435\u043d\u0438\u0435|\u043f\u0438\u0441\u044c\u043c\u043e)\b.{0,160}\u043a\u043e\u043d\u0444\u0438\u0434\u0435\u043d\u0446
    )""",
    re.IGNORECASE | re.VERBOSE,
)
"""The first line of a legal notice."""
