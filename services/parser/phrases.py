"""The words of mail systems and mail programs, by language: tables only, compiled once.

Separate so that a new language or program is one more row here and no change anywhere else.
"""

from __future__ import annotations

import re
from typing import Final


def _any(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


PASSED_ON: Final = re.compile(
    r"\s*(?:\[[^\]\n]{0,40}\]\s*)?(?:re|aw|sv|vs|antw|odp|ynt|rif|res|ref|fwd?|wg|tr|rv|enc|vb|i|doorst|vl|pd|\u8f6c\u53d1|\u56de\u590d|\u7b54\u590d|\u8f49\u5bc4|\u56de\u8986)"
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
    r"non (?:remis|distribu|d\u00e9livr)", r"\u00e9chec (?:de |d')(?:la )?(?:remise|livraison|distribution|envoi)", r"non recensé",
    r"unzustellbar", r"nicht zugestellt", r"zustell(?:ung|fehler|bericht)", r"fehler bei der zustellung",
    r"no se (?:puede|pudo|ha podido) entregar", r"no entregado", r"error (?:de|en la) entrega", r"devuelto",
    r"non recapitabile", r"mancat[ao] (?:consegna|recapito)", r"impossibile (?:recapitare|consegnare)",
    r"n\u00e3o (?:foi )?(?:entregue|entreg)", r"falha na entrega", r"onbestelbaar", r"niet (?:be|af)geleverd", r"kan niet worden bezorgd",
    r"kunde inte levereras", r"olevererbart", r"ikke leveres", r"kan ikke leveres", r"uleveret", r"toimittaminen ep\u00e4onnistui",
    r"ei voitu toimittaa", r"niedostarczon", r"nie dostarczono", r"nedoru\u010d", r"\u043d\u0435\u0434\u043e\u0441\u0442\u0430\u0432\u043b",
    r"\u043d\u0435 \u0434\u043e\u0441\u0442\u0430\u0432\u043b\u0435\u043d", r"teslim edileme", r"iletilemedi",
    r"\u914d\u4fe1\u4e0d\u80fd", r"\u914d\u4fe1\u3067\u304d\u307e\u305b\u3093", r"\u9001\u4fe1\u3067\u304d\u307e\u305b\u3093",
    r"\u9000\u4fe1", r"\u672a\u9001\u8fbe", r"\u65e0\u6cd5\u6295\u9012", r"\u7121\u6cd5\u50b3\u905e", r"\ubc30\ub2ec", r"\ubc18\uc1a1",
)  # fmt: skip

FAILURE: Final = _any(
    r"(?:not|n't|never) (?:yet )?(?:be |been |get )?(?:deliver|sent|reach|receive)", r"undeliver", r"unable to (?:deliver|send|relay)",
    r"(?:delivery|mail|message|recipients?|address(?:es)?|address\(es\)) .{0,60}(?:failed|failure|errors?|problems?|delay|expired|rejected|refused|aborted)",
    r"could ?n.t be (?:delivered|sent)", r"cannot be delivered", r"(?:no such|unknown|invalid) (?:user|recipient|address|mailbox)",
    r"failed recipients?", r"requested action not taken", r"smtp error", r"non-?deliverable", r"(?:are|is) not (?:a )?member", r"was rejected", r"returned to (?:the )?sender", r"failure reason", r"transcript of session", r"user unknown",
    r"mailbox.{0,20}full", r"\bfailed\b.{0,80}deliver", r"not a member", r"n.a pas pu", r"non (?:remis|distribu)",
    r"unzustellbar|nicht (?:zugestellt|ausgeliefert)", r"no (?:se )?(?:pudo|puede|ha podido) (?:ser )?entreg", r"non .{0,30}(?:consegnat|recapitat)",
    r"\u043d\u0435 (?:\u043c\u043e\u0436\u0435\u0442 \u0431\u044b\u0442\u044c |\u0431\u044b\u043b\u043e )?\u0434\u043e\u0441\u0442\u0430\u0432\u043b\u0435\u043d",
    r"\u9001\u4fe1(?:\u3067\u304d|\u306b\u5931\u6557)", r"\u914d\u4fe1", r"\u9000\u4fe1", r"(?m:^(?:Final|Original)-Recipient:)", r"rcpt to:",
)  # fmt: skip

AWAY_SUBJECT: Final = _any(
    r"^\W*(?:automatic reply|auto(?:matic|mated)?[- ]?(?:reply|response|respon[sd]\w*|antwort)|out of (?:the )?office|on vacation|vacation (?:reply|response|message)|away from (?:my )?(?:mail|email|office))",
    r"\bout of (?:the )?office\b", r"automatische (?:antwort|nachricht)", r"abwesenheits?(?:notiz|nachricht|meldung|assistent)", r"abwesend",
)  # fmt: skip

CHALLENGE_SUBJECT: Final = _any(
    r"please confirm (?:your|that) (?:message|e-?mail|mail)", r"confirm(?:ation)? (?:of )?your (?:message|e-?mail)", r"verify your (?:message|e-?mail you sent)",
)  # fmt: skip
