/**
 * The statements of a claim, one transaction. Bound alike: `?1` ids as JSON, `?2` now, `?3` claim id, `?4` end of the
 * lease, `?5` default route as JSON, `?6` what may be called, `["twilio:sms", …]` or null for all, `?7` default pace in
 * milliseconds between two messages, or null.
 */

/** Clocks of two machines may differ: a pointer that is this much early is not lost for it. */
export const CLOCK_SKEW_MS = 1000;

/** How far ahead slots are given away: a worker waits at most this long before a call. */
export const SLOT_HORIZON_MS = 1000;

/** How often a message for which no provider is set up looks again. */
const NO_PROVIDER_AGAIN_MS = 300_000;

/** How many messages may try at once whether a resting provider works again. */
const BREAKER_PROBES = 3;

const PAUSE_FIRST_PROBE_MS = 60_000;
/** Probes of a paused sender: after one minute, two, four, up to some hour. */
export const PROBE_AFTER = `${PAUSE_FIRST_PROBE_MS} * (1 << min(probes + 1, 6))`;
export const FIRST_PROBE_MS = PAUSE_FIRST_PROBE_MS;

/** Opt-outs that reach a message: those of its system's own kind reach none, those of marketing no transactional one. */
export const SUPPRESSED_JOIN = `suppressions s ON s.number = m.number AND m.kind = 'campaign'
        AND (s.scope = 'all' OR c.purpose IS NOT 'transactional')`;

/** A message of the system itself answers through the provider that brought what it answers. `given`: the default route. */
const route = (
  given: string,
): string => `CASE WHEN m.kind <> 'campaign' AND m.provider IS NOT NULL THEN json_array(m.provider)
        WHEN coalesce(c.providers, '[]') = '[]' THEN ${given} ELSE c.providers END`;

/** What may be sent at all, and on which route. What is turned aside here never comes to a provider. */
const GIVEN = `SELECT m.id, m.sender, m.channel, m.attempts, m.tried, m.due_at, m.expires_at, m.reason AS was,
      ${route('?5')} AS route,
      CASE WHEN s.number IS NOT NULL THEN 'suppressed'
           WHEN m.expires_at <= ?2 THEN 'expired'
           WHEN m.kind <> 'campaign' THEN 'sending'
           WHEN c.id IS NULL OR c.created_at > m.created_at THEN 'canceled'
           WHEN c.state <> 'live' THEN 'held'
           ELSE 'sending' END AS verdict,
      CASE WHEN s.number IS NOT NULL THEN 'opted_out'
           WHEN m.expires_at <= ?2 THEN 'expired'
           WHEN m.kind <> 'campaign' THEN NULL
           WHEN c.id IS NULL OR c.created_at > m.created_at THEN 'campaign_deleted'
           WHEN c.state <> 'live' THEN 'campaign_paused' END AS reason
    FROM json_each(?1) j
      JOIN messages m ON m.id = j.value
      LEFT JOIN campaigns c ON c.id = m.campaign_id
      LEFT JOIN ${SUPPRESSED_JOIN}
    WHERE m.state = 'queued' AND m.due_at <= ?2 + ${CLOCK_SKEW_MS}`;

/**
 * How each provider of a message's route stands. `tried`: it said “no” (a text, and so greater than any number), or “not
 * before” a time that is still to come. `probe`: it rests, and the time to try one has come.
 */
const OPTIONS = `SELECT v.id, a.key AS place, a.value AS provider,
      iif(p.provider IS NULL, '', v.sender) AS probe_key,
      iif(coalesce(p.provider, q.provider) IS NULL, ${BREAKER_PROBES}, 1) AS probes,
      iif(coalesce(p.provider, q.provider) IS NULL, 'provider_resting', 'sender_paused') AS waits,
      CASE WHEN ?6 IS NOT NULL AND a.value || ':' || v.channel NOT IN (SELECT value FROM json_each(?6)) THEN 'missing'
           WHEN v.tried ->> a.value > ?2 + ${CLOCK_SKEW_MS} THEN 'tried'
           WHEN max(coalesce(p.probe_at, 0), coalesce(q.probe_at, 0), coalesce(o.open_until, 0)) > ?2 THEN 'rests'
           WHEN p.provider IS NOT NULL OR q.provider IS NOT NULL OR o.opens > 0 THEN 'probe'
           ELSE 'works' END AS standing
    FROM given v JOIN json_each(v.route) a
      LEFT JOIN sender_pauses p ON p.provider = a.value AND p.sender = v.sender
      LEFT JOIN sender_pauses q ON q.provider = a.value AND q.sender = '*'
      LEFT JOIN provider_state o ON o.provider = a.value
    WHERE v.verdict = 'sending'`;

/** The first provider of the route that works or may be tried again, and the first that surely works. */
const WISHES = `SELECT v.id,
      min(v.place) FILTER (WHERE v.standing IN ('works', 'probe')) AS first,
      min(v.place) FILTER (WHERE v.standing = 'works') AS works,
      min(v.place) FILTER (WHERE v.standing IN ('rests', 'probe')) AS rests
    FROM options v GROUP BY v.id`;

/** Of many that would try the same resting provider, a few do; the others go on along their route, or wait. */
const CHOSEN = `SELECT v.*, j.works, j.rests, b.provider AS first_provider, b.standing, b.probes,
      row_number() OVER (PARTITION BY b.provider, b.probe_key, b.standing ORDER BY v.attempts, v.id) AS turn
    FROM given v LEFT JOIN wishes j ON j.id = v.id LEFT JOIN options b ON b.id = v.id AND b.place = j.first`;

const ROUTED = `SELECT v.*,
      CASE WHEN v.standing = 'works' OR v.turn <= v.probes THEN v.first_provider
           ELSE v.route ->> ('$[' || v.works || ']') END AS provider,
      b.provider AS rests_provider, b.waits
    FROM chosen v LEFT JOIN options b ON b.id = v.id AND b.place = v.rests`;

/** Slots for senders with a pace. What was put off before is let in first; newcomers queue up behind it. */
const PACED = `SELECT v.*, b.next_slot, b.queue_end,
      iif(v.provider IS NULL, NULL, coalesce(1000.0 / b.messages_per_second, ?7)) AS gap,
      v.was IS 'paced' OR b.queue_end <= ?2 + ${SLOT_HORIZON_MS} AS contends,
      row_number() OVER (PARTITION BY v.sender, v.provider IS NULL, v.was IS 'paced' OR b.queue_end <= ?2 + ${SLOT_HORIZON_MS}
        ORDER BY v.due_at, v.id) AS k
    FROM routed v LEFT JOIN sender_pace b ON b.sender = v.sender`;

const SLOTTED = `SELECT v.*, max(v.next_slot, ?2) + (v.k - 1) * v.gap AS slot,
      v.gap IS NULL OR (v.contends AND max(v.next_slot, ?2) + (v.k - 1) * v.gap <= ?2 + ${SLOT_HORIZON_MS}) AS granted
    FROM paced v`;

/** When the first provider that said “not before” may be asked again. */
const BUSY_UNTIL = `(SELECT min(a.value) FROM json_each(v.tried) a WHERE a.type = 'integer' AND a.value > ?2 + ${CLOCK_SKEW_MS})`;

const VERDICTS = `SELECT v.id, v.expires_at, v.slot,
      CASE WHEN v.verdict <> 'sending' THEN v.verdict
           WHEN v.provider IS NULL THEN iif(${BUSY_UNTIL} IS NULL, 'held', 'queued')
           WHEN v.granted THEN 'sending' ELSE 'queued' END AS verdict,
      CASE WHEN v.verdict <> 'sending' THEN v.reason
           WHEN v.provider IS NULL THEN iif(${BUSY_UNTIL} IS NULL, coalesce(v.waits, 'no_provider'), 'provider_busy')
           WHEN v.granted THEN NULL ELSE 'paced' END AS reason,
      coalesce(v.provider, v.rests_provider) AS provider,
      ${BUSY_UNTIL} AS busy_until,
      max(v.queue_end, v.next_slot, ?2) + v.gap * (sum(v.granted) OVER (PARTITION BY v.sender, v.provider IS NULL)
        + row_number() OVER (PARTITION BY v.sender, v.provider IS NULL, v.granted ORDER BY v.due_at, v.id)) AS put_off_to
    FROM slotted v`;

const MINE = `json_each(?1) j JOIN messages m ON m.id = j.value AND m.claim_id = ?3`;

export const CLAIM_SQL = {
  /** Where every sender has a pace, each needs a row to keep its slots. Bound: ids. */
  paceRows: `INSERT INTO sender_pace (sender) SELECT DISTINCT m.sender FROM json_each(?1) j JOIN messages m ON m.id = j.value
    WHERE true ON CONFLICT (sender) DO NOTHING`,
  claim: `WITH given AS (${GIVEN}), options AS (${OPTIONS}), wishes AS (${WISHES}), chosen AS (${CHOSEN}),
      routed AS (${ROUTED}), paced AS (${PACED}), slotted AS (${SLOTTED}), verdicts AS (${VERDICTS})
    UPDATE messages SET
      state = v.verdict,
      reason = v.reason,
      detail = NULL,
      error = NULL,
      provider_code = NULL,
      provider = coalesce(v.provider, messages.provider),
      due_at = CASE v.verdict WHEN 'sending' THEN ?4
        WHEN 'held' THEN iif(v.reason = 'no_provider', min(?2 + ${NO_PROVIDER_AGAIN_MS}, v.expires_at), v.expires_at)
        WHEN 'queued' THEN min(iif(v.reason = 'paced', CAST(v.put_off_to AS INTEGER), v.busy_until), v.expires_at) END,
      claim_id = ?3,
      attempts = attempts + (v.verdict = 'sending'),
      send_at = iif(v.verdict = 'sending', CAST(ceil(v.slot) AS INTEGER), NULL),
      called_at = iif(v.verdict = 'sending', ?2, called_at),
      updated_at = ?2
    FROM verdicts v WHERE messages.id = v.id`,
  /** Gives the slots away. Bound: ids, now, claim, default pace. Once a claim, though the claim be repeated. */
  advancePace: `UPDATE sender_pace SET
      next_slot = max(next_slot, ?2) + v.granted * coalesce(1000.0 / messages_per_second, ?4, 0),
      queue_end = max(queue_end, coalesce(v.latest, 0)),
      last_claim = ?3
    FROM (SELECT m.sender, sum(m.state = 'sending') AS granted, max(iif(m.reason IS 'paced', m.due_at, NULL)) AS latest
      FROM ${MINE} GROUP BY m.sender) v
    WHERE sender_pace.sender = v.sender AND last_claim IS NOT ?3`,
  /** Whoever tries a paused sender keeps others from trying until the next time. Bound: ids, now, claim. */
  takePauseProbes: `UPDATE sender_pauses SET probe_at = ?2 + ${PROBE_AFTER}, probes = probes + 1, probe_claim = ?3
    FROM (SELECT m.provider, m.sender FROM ${MINE} WHERE m.state = 'sending'
      UNION SELECT m.provider, '*' FROM ${MINE} WHERE m.state = 'sending') v
    WHERE sender_pauses.provider = v.provider AND sender_pauses.sender = v.sender AND probe_at <= ?2`,
  /** Bound: ids, now, claim, end of the lease. */
  takeBreakerProbes: `UPDATE provider_state SET open_until = ?4, probe_claim = ?3
    WHERE opens > 0 AND open_until <= ?2 AND provider IN (SELECT m.provider FROM ${MINE} WHERE m.state = 'sending')`,
  /** What the claim holds, and what it put off. Read by the claim's id, so a repetition finds the same. Bound: ids, default route, claim. */
  rows: `SELECT m.id, m.state, m.channel, m.sender, m.number, m.body, m.media_urls, m.attempts, m.attempts_base, m.expires_at,
      m.due_at, m.send_at, m.provider, m.tried, ${route('?2')} AS route
    FROM ${MINE} LEFT JOIN campaigns c ON c.id = m.campaign_id
    WHERE m.state IN ('sending', 'queued') ORDER BY m.send_at`,
  /** Which messages of a claim have been opted out of since. Bound: ids. */
  optedOutSince: `SELECT m.id FROM json_each(?1) j JOIN messages m ON m.id = j.value
      LEFT JOIN campaigns c ON c.id = m.campaign_id JOIN ${SUPPRESSED_JOIN}`,
} as const;
