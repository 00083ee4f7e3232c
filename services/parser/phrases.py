"""The phrases that mail systems use in subjects, reports and answers, by language.

Tables only, compiled once, so that a new language or system is one more row here and no change anywhere else.
The entries are regular expressions; all repetitions are bounded.
"""

from __future__ import annotations

import re
from typing import Final

from services.parser.tables import any_in_lower, any_of, phrases

BOUNCE_SUBJECT: Final = any_in_lower(r"""
    en  undeliver(?:ed|able) | un[- ]?deliverable | not (?:be |been )?delivered | could not be (?:delivered|sent)
    en  deliver\w* (?:has |status |notification:? |report|failure|failed|error|problem|delayed|incomplete|warning)
    en  returned mail | return(?:ing|ed) (?:message |mail )?to sender | failure notice | failure delivery | failed mail
    en  mail (?:delivery )?(?:failed|failure|system error|status report|error) | mail not delivered | mail delivery
    en  (?:message|mail) (?:delivery )?(?:delayed|status) | delivery (?:failure|delayed?) | non-?delivery | nondeliver
    en  permanent delivery | could not send (?:message|mail) | delayed mail | automatically rejected | user unknown
    en  bounce notification | warning: message .{0,40}delayed | has not (?:yet )?been delivered | processing error
    en  error during delivery | error sending your mail | delivery (?:status )?notification
    de  unzustellbar | nicht zugestellt | zustell(?:ung|fehler|bericht) | fehler bei der zustellung
    fr  non (?:remis|distribu|délivr) | échec (?:de |d')(?:la )?(?:remise|livraison|distribution|envoi) | non recensé
    fr  remise (?:retardée|différée)
    es  no se (?:puede|pudo|ha podido) entregar | no entregado | error (?:de|en la) entrega | devuelto
    es  demora en la entrega | entrega (?:fallida|retrasada)
    it  non recapitabile | mancat[ao] (?:consegna|recapito) | impossibile (?:recapitare|consegnare)
    it  ritardo (?:di|nella) (?:consegna|recapito)
    pt  não (?:foi )?(?:entregue|entreg) | falha na entrega | não é possível entregar | não pôde ser entregue
    nl  onbestelbaar | niet (?:be|af)geleverd | kan niet worden bezorgd | bezorging (?:mislukt|vertraagd)
    sv  kunde inte levereras | kan inte levereras | olevererbart | leveransfördröjning
    da  ikke leveres | kan ikke leveres | uleveret | levering(?:en)? (?:mislykkedes|mislyktes|forsinket)
    fi  toimittaminen epäonnistui | ei voitu toimittaa | ei voi toimittaa | toimitus (?:epäonnistui|viivästy)
    pl  niedostarczon | niedostarczaln | nie dostarczono | nie można dostarczyć
    cs  nedoruč | nelze doručit
    hu  kézbesíthetetlen | kézbesítés(?:i)? (?:nem sikerült|hiba|késik)
    ro  imposibil de (?:livrat|transmis) | nelivrat
    el  δεν (?:παραδόθηκε|είναι δυνατή η παράδοση)
    ru  недоставл | не доставлен | не уда(?:ется|лось) доставить | ошибка доставки | отложенная доставка
    uk  недоставл | не доставлен | не вдалося доставити
    tr  teslim edileme | iletilemedi | teslim (?:başarısız|gecik)
    ja  配信不能 | 配信できません | 送信できません | 配信に失敗 | 配信エラー | 配信遅延 | 送信エラー
    zh  退信 | 未送达 | 无法投递 | 無法傳遞 | 无法传递 | 無法投遞 | 延迟送达
    zh  (?:传输|发送|传递|投递|寄送)失[败敗]
    ko  배달 | 반송 | 전송 실패
""")
"""What mail systems call a report about delivery; for subjects in lower case."""

MAIL_SYSTEM: Final = any_in_lower(r"""
    en  this is (?:the|a) (?:\S+ ){0,4}(?:mail (?:system|server|agent|delivery)|mailer-daemon|qmail|postfix|program)
    en  this (?:message|e-?mail|mail|report) (?:was|is|has been) (?:created |generated |an )?automatic
    en  automatically generated | i(?:'m|.am) (?:sorry|afraid) (?:to have to inform|i wasn't able)
    en  mail delivery software
    en  (?:do not|don't) reply to this (?:message|e-?mail|mail) | postmaster notify | transcript of session
    de  (?:automatisch|maschinell) (?:erzeugt|erstellt|generiert)
    fr  (?:généré|envoyé) automatiquement | (?:message|rapport) automatique
    es  generado automáticamente | mensaje automático
    it  generat[oa] automaticamente | messaggio automatico
    pt  gerad[oa] automaticamente | mensagem automática
    ru  (?:создано|сгенерировано) автоматически | автоматическое (?:сообщение|уведомление)
    ja  自動(?:的に)?(?:送信|生成|配信)
    zh  (?:系统|系統|自动|自動)(?:自动|自動)?(?:发送|發送|生成|产生)
""")
"""How mail systems introduce themselves; for text in lower case."""

FAILURE: Final = any_in_lower(r"""
    en  (?:not|n't|never) (?:yet )?(?:be |been |get )?(?:deliver|sent|reach|receive) | undeliver | non-?deliverable
    en  error (?:while )?(?:delivering|sending)
    en  unable to (?:deliver|send|relay) | could ?n.t be (?:delivered|sent) | cannot be delivered
    en  (?:delivery|mail|message|recipients?|address(?:es)?|address\(es\)) .{0,60}(?:failed|failure|error|problem|delay)
    en  (?:delivery|mail|message|recipients?|address(?:es)?|address\(es\)) .{0,60}(?:expired|rejected|refused|aborted)
    en  (?:no such|unknown|invalid) (?:user|recipient|address|mailbox) | failed recipients? | user unknown
    en  requested action not taken | smtp error | (?:are|is) not (?:a )?member | was rejected | failure reason
    en  returned to (?:the )?sender | transcript of session | mailbox.{0,20}full | \bfailed\b.{0,80}deliver
    de  unzustellbar | nicht .{0,80}(?:zugestellt|ausgeliefert) | fehler bei der (?:nachrichten)?zustellung
    fr  n.a pas (?:pu|été) | n.est pas parvenu | non (?:remis|distribu) | échec de la remise
    es  no (?:se )?(?:pudo|puede|ha(?: podido)?) (?:ser )?entreg | error en la entrega
    it  non .{0,30}(?:consegnat|recapitat) | impossibile recapitare
    pt  não (?:pôde|foi|pode) .{0,20}entreg | falha na entrega
    nl  niet .{0,30}(?:bezorgd|afgeleverd) | bezorging .{0,20}mislukt
    sv  (?:inte|ikke) .{0,20}lever | lever.{0,60}(?:misslycka|mislykke|mislyktes)
    fi  toimitus .{0,60}epäonnistui | ei (?:voitu|voi) toimittaa
    pl  (?:dostarcz\w+|doręcz\w+) .{0,60}nie powiodło | nie (?:można|udało się|został\w?) dostarcz
    cs  nepodařilo (?:se )?doručit | nelze doručit | nebyl\w* doručen
    hu  kézbesítés\w* .{0,20}nem sikerült | nem (?:lehet|sikerült) kézbesíteni
    ru  не (?:может быть |было |удалось )?доставлен | не уда(?:лось|ется) доставить
    uk  не (?:вдалося доставити|доставлен)
    tr  teslim .{0,20}(?:başarısız|edileme) | iletilemedi
    ja  送信(?:でき|に失敗) | 配信
    zh  退信 | 退回 | (?:无法|無法|未能).{0,10}(?:传递|傳遞|投递|投遞|送达|送達)
    ko  배달하지 못 | 반송
    --  (?m:^(?:final|original)-recipient:) | rcpt to:
""")
"""What reports say of a mail that did not arrive; for text in lower case."""

_AWAY: Final = r"""
    en  auto(?:matic|mated)?[- ]?(?:reply|response|respond\w*|respons|answer)
    en  out of (?:the )?office(?: (?:auto[- ]?reply|message|reply|notification|response))?
    en  vacation (?:reply|response|message|notice)
    en  away (?:from (?:my |the )?(?:mail|e-?mail|office|desk)|notice)
    de  automatische (?:antwort|abwesenheitsnotiz|nachricht|rückmeldung) | auto-?antwort | nicht im (?:büro|haus)
    de  abwesenheits?(?:notiz|nachricht|meldung|mitteilung|info|agent|assistent)
    fr  réponse automatique | (?:message|notification|avis) d['\u2019]absence | absen(?:ce|te?|t\(e\)) du bureau
    es  respuesta autom[aá]tica | fuera de (?:la )?oficina | ausencia temporal | ausente de la oficina
    it  risposta automatica | fuori (?:sede|ufficio) | assen(?:za|te) (?:dall['\u2019]ufficio|temporanea)
    pt  resposta autom[aá]tica | fora do escritório | ausência temporária | ausente do escritório
    nl  automatische? (?:antwoord|bericht|beantwoording) | afwezigheids?(?:bericht|melding|assistent)
    nl  niet op kantoor | buiten kantoor
    sv  autosvar | automatiskt svar | frånvaro(?:meddelande|besked) | inte på kontoret
    da  automatisk svar | fravær(?:smelding|sbesked|sassistent) | ikke på kontoret
    fi  automaattinen (?:vastaus|poissaoloilmoitus) | poissaoloilmoitus | poissa toimistosta
    pl  automatyczna odpowiedź | odpowiedź automatyczna | autoodpowiedź | poza biurem
    cs  automatická odpověď | mimo kancelář
    sk  automatická odpoveď | mimo kancelárie
    ru  автоматический ответ | автоответ(?:чик)? | вне офиса
    uk  автоматична відповідь | автовідповідь | поза офісом
    tr  otomatik (?:yanıt|cevap) | ofis dışı(?:nda)?
    hu  automatikus válasz | házon kívül
    ro  răspuns automat
    hr  automatski odgovor | automatsko odgovaranje
    sr  аутоматски одговор
    sl  samodejni odgovor
    bg  автоматичен отговор
    lt  automatinis atsak\w+
    lv  automātisk\w{1,3} atbilde
    et  automaatvastus | automaatne vastus
    ca  resposta automàtica
    he  מענה אוטומטי | תשובה אוטומטית
    ar  رد تلقائي
    fa  پاسخ خودکار
    th  (?:การ)?ตอบกลับอัตโนมัติ
    vi  (?:trả lời|phản hồi) tự động
    id  balasan otomatis
    el  αυτόματη απάντηση
    ja  自動(?:応答|返信|回覆|回复) | 不在通知
    zh  自动(?:答复|回复) | 外出時自動回覆
    ko  자동 (?:회신|응답|답장) | 부재 ?중 자동 응답
"""
_ABSENT: Final = r"""
    en  on (?:vacation|holiday|leave)
    de  abwesend | abwesenheit
    fr  absence | absente? | absent\(e\)
    es  ausencia | ausente
    it  assenza | assente
    pt  ausência
    nl  afwezig | niet aanwezig
    sv  frånvaro
    da  fravær | ikke til stede
    fi  poissa
    pl  nieobecność
    cs  nepřítomnost
    sk  neprítomnosť
    ru  отсутствие
    ja  不在
    zh  外出
    ko  부재 ?중
"""
AWAY_SUBJECT: Final = re.compile(
    rf"[\s*\[(!\-]{{0,6}}(?:{'|'.join(phrases(_AWAY))})\s?(?:[\])]|[:\uff1a\-\u2013]|\(?re:)"
    rf"|auto: .{{0,80}}(?:{'|'.join(phrases(_AWAY + _ABSENT))})|(?:yahoo!? )?auto[- ]?(?:response|reply)\s*$",
    re.IGNORECASE,
)
"""How mail servers begin the subject of an automatic answer: a set phrase and a colon, or in brackets."""

AUTOMATIC_TEXT: Final = any_in_lower(r"""
    en  this (?:(?:message|e-?mail) )?is an? auto(?:mat\w+)?[- ]?(?:generated )?(?:re\w+|message|e-?mail|answer)
    en  (?:message|e-?mail|reply|response) (?:was|is|has been) (?:sent|generated|created) automatically
    en  automatically generated (?:message|e-?mail|reply|response)
    de  (?:dies(?:e|es)? (?:ist|nachricht|mail|e-mail|antwort)|dies ist eine) .{0,30}automatisch
    fr  (?:réponse|message) automatique | (?:généré|envoyé) automatiquement
    es  (?:respuesta|mensaje) autom[aá]tic[ao] | (?:generado|enviado) automáticamente
    it  (?:risposta|messaggio) automatic[ao] | (?:generat|inviat)[oa] automaticamente
    pt  (?:resposta|mensagem) automática | (?:gerad|enviad)[oa] automaticamente
    nl  automatisch (?:antwoord|bericht|gegenereerd) | automatische (?:reactie|e-mail)
    sv  automatiskt? (?:svar|meddelande|genererat)
    pl  automatyczn\w+ (?:odpowied\w+|wiadomo\w+)
    ru  автоматическ\w+ (?:ответ|сообщение|уведомление)
    ja  自動(?:的に)?(?:送信|返信|応答|配信)
    zh  自动(?:回复|答复|发送) | 自動(?:回覆|回復|發送)
""")
"""How a machine's answer says at its beginning that no person wrote it; for text in lower case."""

ABSENCE_TEXT: Final = any_in_lower(r"""
    en  i(?:'m| am| will be|'ll be) .{0,30}(?:out of (?:the )?office|away|abroad|on .{0,20}(?:vacation|leave|holiday))
    de  ich bin .{0,60}(?:nicht im (?:büro|haus)|nicht erreichbar|abwesend|außer haus|im urlaub|wieder erreichbar)
    fr  je suis .{0,40}(?:absente?|en congés?|en vacances)
    es  (?:estaré|estoy) .{0,40}(?:fuera de la oficina|ausente|de vacaciones)
    it  sono .{0,40}(?:fuori ufficio|assente|in ferie)
    pt  (?:estarei|estou) .{0,40}(?:fora do escritório|ausente|de férias)
    nl  ik ben .{0,40}(?:afwezig|niet (?:op kantoor|aanwezig)|met vakantie)
""")
"""How a person's automatic answer speaks of the absence; for text in lower case."""

ABSENT_SUBJECT: Final = re.compile(rf"\s*(?:{'|'.join(phrases(_ABSENT))})\s?[:\uff1a]", re.IGNORECASE)
"""A word of absence and a colon. People write this too, so it counts only with the header of an answer."""

AWAY_WORDS: Final = any_of(
    _AWAY + _ABSENT + r"    --  \baway\b | \bvacation\b | \burlaub\b | \bholiday\b | \bvacances\b | \bferie\b"
)
"""Words of an absence; they count only when a header says that a machine wrote."""

RECEIPT_SUBJECT: Final = re.compile(
    r"\s*(?:message status - opened|return receipt(?: \(displayed\))?|read receipt|not read|read|"
    r"gelesen|ungelesen gelöscht|lesebestätigung|lu|non lu|(?:accusé|confirmation) de lecture|"
    r"leído|confirmación de lectura|letto|conferma di lettura|lida?|confirmação de leitura|gelezen|leesbevestiging|"
    r"läst|läskvitto|lest|læst|luettu|przeczytan[eo]|potwierdzenie przeczytania|přečteno|olvasva|olvasott|"
    r"прочтено|прочитано|уведомление о прочтении|okundu|開封済み|開封確認|已读|已讀|읽음)\s?(?:[:\uff1a]|$)",
    re.IGNORECASE,
)
"""The subject of a receipt that comes without its report part."""

CHALLENGE_SUBJECT: Final = any_of(r"""
    en  (?:confirm|verify|validate) (?:that )?(?:your|you sent|this) (?:message|e-?mail|mail|address|identity)
    en  (?:verification|confirmation|authentication|action) required
    en  requires? (?:verification|(?:your )?confirmation)
    en  confirm(?:ation)? (?:of )?your (?:message|e-?mail|mail) to | antispam uol | ^confirm [0-9a-f]{16,}
    en  your (?:message|e-?mail|mail) .{0,60}(?:awaits|needs|requires) (?:confirmation|verification)
    de  bestätigung erforderlich | bitte bestätigen sie ihre (?:e-?mail|nachricht)
    fr  confirmez votre (?:message|e-?mail|courriel)
    es  confirme su (?:mensaje|correo)
    pt  confirma(?:ção|r) (?:da sua|sua) mensagem
    ru  подтвердите
""")
"""A robot asks senders to prove that they are human."""

COMPLAINT_SUBJECT: Final = re.compile(
    r"\s*(?:complaint about message from|abuse (?:report|complaint)|spam report)\b", re.IGNORECASE
)
"""How providers without RFC 5965 begin the subject of an abuse report; the mail complained of is attached."""

_GREETINGS: Final = r"""
    en  hi | hello | hey | dear | good (?:morning|afternoon|day) | thanks | please | fyi | see below
    de  hallo | guten | liebe[rs]? | sehr geehrte | moin | servus | danke | bitte
    fr  bonjour | salut | ch[eè]re?s? | merci
    es  hola | buen[oa]s | estimad[oa]s? | gracias
    it  ciao | buongiorno | salve | gentile
    pt  olá | bom dia | caro | prezad[oa]
    nl  beste | geachte | dag
    sv  hej | hei | hyvä
    pl  cześć | dzień dobry | dobrý den | ahoj
    ru  добрый день | здравствуйте | привет | добрий день
    tr  merhaba | sayın
"""
GREETING: Final = re.compile(rf"\W{{0,10}}(?:{'|'.join(phrases(_GREETINGS))})\b", re.IGNORECASE)
"""How people begin a mail; mail systems do not write this."""

_FIRST_PERSONS: Final = r"""
    en  i (?:have|got|get|am|was|sent|tried|wrote|received|can|cannot|can't|could|think|need|keep|want) | i've | i'd
    en  we (?:have|got|get|are|sent|tried|received|need|cannot|can't)
    en  my (?:mail|e-?mail|message|customer|boss|colleague|order)
    de  ich (?:habe|bin|kann|bekomme|wollte) | wir (?:haben|bekommen|können)
    fr  j'ai | je (?:suis|ne|reçois) | nous (?:avons|ne)
    es  he (?:enviado|recibido) | no puedo
    it  ho (?:inviato|ricevuto)
    pt  recebi | enviei
    nl  ik (?:heb|krijg|kan)
    sv  jag (?:har|får|kan)
"""
MYSELF: Final = re.compile(rf"\b(?:{'|'.join(phrases(_FIRST_PERSONS))})\b", re.IGNORECASE)
"""Words in the first person."""

MACHINE_SELF: Final = re.compile(
    r"\bi (?:am|was|have)(?: been)?(?: not)? (?:un)?able\b|\bi (?:am|have) (?:sorry|afraid|not going|given up|tried)"
    r"|\bi (?:tried to|could ?n.t|cannot|can.t) (?:deliver|send|connect|find)"
    r"|\bi (?:sent the message|am sending you this)|\bi'm (?:sorry|afraid)|\bi've given up"
    r"|\bwe (?:were|are|have been|tried)\b",
    re.IGNORECASE,
)
"""The first person of mail systems such as qmail."""
