"""The words of mail systems and mail programs, by language: tables only, compiled once.

Separate so that a new language or program is one more row here and no change anywhere else.
"""

from __future__ import annotations

import re
from typing import Final


def _any(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


PASSED_ON: Final = re.compile(
    r"\s*(?:\[[^\]\n]{0,40}\]\s*)?(?:re|aw|sv|vs|antw|odp|ynt|rif|res|ref|fwd?|wg|tr|rv|enc|vb|i|doorst|vl|pd|转发|回复|答复|轉寄|回覆)"
    r"\s?(?:\[\d{1,3}\])?\s?[:\uff1a]",
    re.IGNORECASE,
)
"""A subject that a person's mail program made: an answer or a forward."""

BOUNCE_SUBJECT: Final = _any(
    r"undeliver(?:ed|able)", r"un[- ]?deliverable", r"not (?:be |been )?delivered", r"could not be (?:delivered|sent)",
    r"deliver\w* (?:has |status |notification:? |report|failure|failed|error|problem|delayed|incomplete|warning|unsuccess)",
    r"returned mail", r"return(?:ing|ed) (?:message |mail )?to sender", r"failure notice", r"failure delivery",
    r"mail (?:delivery )?(?:failed|failure|system error|status report|error)", r"mail not delivered", r"failed mail",
    r"(?:message|mail) (?:delivery )?(?:delayed|status)", r"delivery (?:failure|delayed?)", r"non-?delivery", r"nondeliver",
    r"permanent delivery", r"could not send (?:message|mail)", r"delayed mail", r"automatically rejected", r"bounce notification",
    r"warning: message .{0,40}delayed", r"has not (?:yet )?been delivered", r"error during delivery", r"processing error",
    r"error sending your mail", r"mail delivery", r"user unknown", r"delivery (?:status )?notification",
    r"non (?:remis|distribu|délivr)", r"échec (?:de |d')(?:la )?(?:remise|livraison|distribution|envoi)", r"non recensé",
    r"unzustellbar", r"nicht zugestellt", r"zustell(?:ung|fehler|bericht)", r"fehler bei der zustellung",
    r"no se (?:puede|pudo|ha podido) entregar", r"no entregado", r"error (?:de|en la) entrega", r"devuelto",
    r"non recapitabile", r"mancat[ao] (?:consegna|recapito)", r"impossibile (?:recapitare|consegnare)",
    r"não (?:foi )?(?:entregue|entreg)", r"falha na entrega", r"onbestelbaar", r"niet (?:be|af)geleverd", r"kan niet worden bezorgd",
    r"kunde inte levereras", r"olevererbart", r"ikke leveres", r"kan ikke leveres", r"uleveret", r"toimittaminen epäonnistui",
    r"ei voitu toimittaa", r"niedostarczon", r"nie dostarczono", r"nedoruč", r"недоставл",
    r"не доставлен", r"teslim edileme", r"iletilemedi",
    r"配信不能", r"配信できません", r"送信できません",
    r"退信", r"未送达", r"无法投递", r"無法傳遞", r"배달", r"반송",
)  # fmt: skip

FAILURE: Final = _any(
    r"(?:not|n't|never) (?:yet )?(?:be |been |get )?(?:deliver|sent|reach|receive)", r"undeliver", r"unable to (?:deliver|send|relay)",
    r"(?:delivery|mail|message|recipients?|address(?:es)?|address\(es\)) .{0,60}(?:failed|failure|errors?|problems?|delay|expired|rejected|refused|aborted)",
    r"could ?n.t be (?:delivered|sent)", r"cannot be delivered", r"(?:no such|unknown|invalid) (?:user|recipient|address|mailbox)",
    r"failed recipients?", r"requested action not taken", r"smtp error", r"non-?deliverable", r"(?:are|is) not (?:a )?member", r"was rejected", r"returned to (?:the )?sender", r"failure reason", r"transcript of session", r"user unknown",
    r"mailbox.{0,20}full", r"\bfailed\b.{0,80}deliver", r"not a member", r"n.a pas pu", r"non (?:remis|distribu)",
    r"unzustellbar|nicht (?:zugestellt|ausgeliefert)", r"no (?:se )?(?:pudo|puede|ha podido) (?:ser )?entreg", r"non .{0,30}(?:consegnat|recapitat)",
    r"не (?:может быть |было )?доставлен",
    r"送信(?:でき|に失敗)", r"配信", r"退信", r"(?m:^(?:Final|Original)-Recipient:)", r"rcpt to:",
)  # fmt: skip

_AWAY: Final = (
    r"auto(?:matic|mated)?[- ]?(?:reply|response|respond\w*|respons|answer)", r"out of (?:the )?office(?: (?:auto[- ]?reply|message|reply|notification|response))?",
    r"vacation (?:reply|response|message|notice)", r"away (?:from (?:my |the )?(?:mail|e-?mail|office|desk)|notice)", r"on (?:vacation|holiday|leave)",
    r"automatische (?:antwort|abwesenheitsnotiz|nachricht|beantwoording|rückmeldung)", r"auto-?antwort", r"abwesenheits?(?:notiz|nachricht|meldung|mitteilung|info|agent|assistent)", r"abwesend", r"nicht im (?:büro|haus)",
    r"réponse automatique", r"(?:message|notification|avis) d['\u2019]absence", r"absen(?:ce|te?|t\(e\))(?: du bureau)?",
    r"respuesta automática", r"respuesta automatica", r"fuera de (?:la )?oficina", r"ausencia(?: temporal)?", r"ausente(?: de la oficina)?",
    r"risposta automatica", r"fuori (?:sede|ufficio)", r"assen(?:za|te)(?: (?:dall['\u2019]ufficio|temporanea))?",
    r"resposta automática", r"resposta automatica", r"fora do escritório", r"ausência(?: temporária)?", r"ausente do escritório",
    r"automatisch(?:e)? (?:antwoord|bericht)", r"afwezig(?:heids?(?:bericht|melding|assistent))?", r"niet (?:aanwezig|op kantoor)", r"buiten kantoor",
    r"autosvar", r"automatisk[t]? svar", r"frånvaro(?:meddelande|besked)?", r"inte på kontoret", r"fravær(?:smelding|sbesked|sassistent)?", r"ikke (?:til stede|på kontoret)",
    r"automaattinen (?:vastaus|poissaoloilmoitus)", r"poissaoloilmoitus", r"poissa(?: toimistosta)?",
    r"automatyczna odpowiedź", r"odpowiedź automatyczna", r"autoodpowiedź", r"poza biurem", r"nieobecność",
    r"automatická odpověď", r"automatická odpoveď", r"mimo kancelář", r"mimo kancelárie", r"nepřítomnost",
    r"автоматический ответ", r"автоответ(?:чик)?", r"вне офиса", r"отсутствие",
    r"автоматична відповідь", r"автовідповідь", r"поза офісом",
    r"otomatik (?:yanıt|cevap)", r"ofis dışı(?:nda)?", r"automatikus válasz", r"házon kívül", r"răspuns automat",
    r"αυτόματη απάντηση", r"自動(?:応答|返信|回覆|回复)", r"不在(?:通知)?", r"自动(?:答复|回复)",
    r"外出(?:時自動回覆)?", r"자동 (?:회신|응답|답장)", r"부재 ?중(?: 자동 응답)?",
)  # fmt: skip
_SURE: Final = (
    r"auto(?:matic|mated)?[- ]?(?:reply|response|responder)", r"out of (?:the )?office auto[- ]?reply", r"automatische antwort", r"abwesenheitsnotiz",
    r"réponse automatique", r"respuesta automática", r"risposta automatica", r"resposta automática", r"automatisch antwoord", r"autosvar",
    r"automatisk[t]? svar", r"automaattinen vastaus", r"automatyczna odpowiedź", r"automatická odpověď", r"автоматический ответ",
    r"自動応答", r"自动答复", r"自動回覆", r"자동 회신", r"otomatik yanıt", r"автоматична відповідь",
)  # fmt: skip
AWAY_SUBJECT: Final = re.compile(
    rf"[\s*\[(!\-]{{0,6}}(?:(?:{'|'.join(_AWAY)})\s?[\])]?\s?(?:[:\uff1a\-\u2013]|re:|\(re:)|(?:{'|'.join(_SURE)})\b)",
    re.IGNORECASE,
)
"""How mail servers begin the subject of an automatic answer: a set phrase and a colon."""
AWAY_WORDS: Final = _any(*_AWAY, r"\baway\b", r"\bvacation\b", r"\burlaub\b", r"\bholiday\b", r"\bvacances\b", r"\bferie\b")
"""Words of an absence; they count only when a header says that a machine wrote."""

RECEIPT_SUBJECT: Final = re.compile(
    r"\s*(?:message status - opened|return receipt|read receipt|not read|read|gelesen|ungelesen gelöscht|lu|non lu|leído|letto|lida?|"
    r"gelezen|läst|lest|læst|luettu|przeczytane|přečteno|прочтено|прочитано|okundu|開封済み|已读|已讀|읽음)"
    r"\s?(?:[:\uff1a]|$)",
    re.IGNORECASE,
)
"""The subject of a receipt that comes without its report part."""

CHALLENGE_SUBJECT: Final = _any(
    r"(?:please )?(?:confirm|verify|validate) (?:that )?(?:your|you sent|this) (?:message|e-?mail|mail|address|identity)", r"(?:verification|confirmation|authentication|action) required",
    r"requires? (?:verification|confirmation|your confirmation)", r"confirm(?:ation)? (?:of )?your (?:message|e-?mail|mail) to", r"your (?:message|e-?mail|mail) .{0,60}(?:awaits|needs|requires) (?:confirmation|verification)",
    r"antispam uol", r"bestätigung erforderlich", r"bitte bestätigen sie ihre (?:e-?mail|nachricht)", r"confirmez votre (?:message|e-?mail|courriel)", r"confirme su (?:mensaje|correo)",
    r"confirma(?:ção|r) (?:da sua|sua) mensagem", r"подтвердите",
)  # fmt: skip
"""A robot asks the sender to prove himself."""

GREETING: Final = re.compile(
    r"\W{0,10}(?:hi|hello|hey|dear|good (?:morning|afternoon|day)|hallo|guten|liebe[rs]?|sehr geehrte|moin|servus|bonjour|salut|ch[eè]re?s?|hola|buen[oa]s|estimad[oa]s?|"
    r"ciao|buongiorno|salve|gentile|olá|bom dia|caro|prezad[oa]|beste|geachte|dag|hej|hei|hyvä|cześć|dzień dobry|dobrý den|ahoj|"
    r"добрый день|здравствуйте|привет|добрий день|merhaba|sayın|thanks|danke|merci|gracias|please|bitte|fyi|see below)\b",
    re.IGNORECASE,
)
MYSELF: Final = re.compile(
    r"\b(?:i (?!'m sorry to have to inform)(?:have|got|get|am|was|sent|tried|wrote|received|can|cannot|can't|could|think|need|keep|want)|i've|i'd|we (?:have|got|get|are|sent|tried|received|need|cannot|can't)|"
    r"my (?:mail|e-?mail|message|customer|boss|colleague|order)|ich (?:habe|bin|kann|bekomme|wollte)|wir (?:haben|bekommen|können)|j'ai|je (?:suis|ne|reçois)|nous (?:avons|ne)|he (?:enviado|recibido)|"
    r"no puedo|ho (?:inviato|ricevuto)|recebi|enviei|ik (?:heb|krijg|kan)|jag (?:har|får|kan))\b",
    re.IGNORECASE,
)
"""First persons: reports about machines have none."""
