"""The statements by which processes share logins: what one may take, and what it has too much of.

Nobody hands anything out. Each process reckons its own share from the processes and logins that
there are; as long as those stay, so does the share, and nothing moves.
"""

# ruff: noqa: S608 - only fixed texts of this file are put together

from __future__ import annotations

# Rows are named by arrays, not joined, so that each is found by its key however wrong a new table's
# statistics are; what is reckoned once is materialized, or it would be reckoned for every row.

# A login that somebody may run: its agent is there, or it still has to leave its platform.
_RUNS = """(account.state = 'ending'
       OR account.state = 'on' AND agent.status NOT IN ('archived', 'deleted'))"""
# Of each platform as many logins as everybody else who runs it, and of the odd ones at most one.
# Everybody reckons with the same numbers, so all shares together are all logins.
_SHARE = f"""
place AS MATERIALIZED (
    SELECT wanted.platform, 1 + count(other.holder) AS runners,
        count(other.holder) FILTER (WHERE other.holder < %(holder)s) AS turn
    FROM wanted LEFT JOIN agentapp_runner other
        ON other.holder <> %(holder)s AND wanted.platform = ANY(other.platforms)
        AND other.alive_until > greenroom_now()
        AND other.since <= greenroom_now() - make_interval(secs => %(settled)s)
    GROUP BY wanted.platform
), share AS MATERIALIZED (
    SELECT place.platform, count(*) / place.runners
        + CASE WHEN place.turn < count(*) %% place.runners THEN 1 ELSE 0 END AS most,
        count(*) FILTER (WHERE account.lease_holder = %(holder)s
                         AND account.lease_until > greenroom_now()) AS mine
    FROM place JOIN agentapp_account account USING (platform)
    JOIN agentapp_agent agent ON agent.id = account.agent_id
    WHERE {_RUNS}
    GROUP BY place.platform, place.runners, place.turn
)"""
TAKE = f"""
WITH wanted AS (
    SELECT DISTINCT unnest(%(platforms)s::text[]) AS platform
), free AS MATERIALIZED (
    SELECT account.id, account.platform,
        coalesce(account.lease_until, account.health_since, account.created_at) AS since,
        row_number() OVER (PARTITION BY account.platform ORDER BY account.id) AS n
    FROM agentapp_account account JOIN agentapp_agent agent ON agent.id = account.agent_id
    WHERE account.platform = ANY(%(platforms)s) AND {_RUNS}
      AND (account.lease_until IS NULL OR account.lease_until <= greenroom_now())
), {_SHARE}, due AS (
    SELECT free.id FROM free JOIN share USING (platform)
    WHERE free.n <= share.most - share.mine
       OR free.since <= greenroom_now() - make_interval(secs => %(patience)s)
    ORDER BY free.id LIMIT %(limit)s
), taken AS (
    SELECT account.id FROM agentapp_account account
    WHERE account.id = ANY(ARRAY(SELECT id FROM due))
      AND (account.lease_until IS NULL OR account.lease_until <= greenroom_now())
    FOR UPDATE OF account SKIP LOCKED
)
UPDATE agentapp_account account
SET lease_holder = %(holder)s, fence = account.fence + 1,
    lease_until = greenroom_now() + make_interval(secs => %(seconds)s)
FROM agentapp_agent agent
WHERE account.id = ANY(ARRAY(SELECT id FROM taken)) AND agent.id = account.agent_id
RETURNING account.id, account.workspace_id, account.agent_id, account.platform,
    account.external_id, agent.name, account.fence, account.state = 'ending'
"""
RENEW = f"""
WITH me AS (
    INSERT INTO agentapp_runner (holder, platforms, since, alive_until)
    VALUES (%(holder)s, %(platforms)s, greenroom_now(),
            greenroom_now() + make_interval(secs => %(seconds)s))
    ON CONFLICT (holder) DO UPDATE SET alive_until = EXCLUDED.alive_until,
        since = CASE WHEN agentapp_runner.alive_until > greenroom_now()
                     THEN agentapp_runner.since ELSE EXCLUDED.since END
), held AS (
    UPDATE agentapp_account account
    SET lease_until = greenroom_now() + make_interval(secs => %(seconds)s)
    FROM agentapp_agent agent
    WHERE agent.id = account.agent_id AND {_RUNS}
      AND account.lease_holder = %(holder)s AND account.lease_until > greenroom_now()
    RETURNING account.id, account.fence, account.platform, account.state
), wanted AS (
    SELECT DISTINCT platform FROM held
), {_SHARE}
SELECT held.id, held.fence, held.state = 'on' AND share.most < row_number() OVER (
    PARTITION BY held.platform ORDER BY held.state = 'on', held.id)
FROM held JOIN share USING (platform)
"""
