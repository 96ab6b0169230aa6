-- What background jobs did, so that each effect happens once however often a job runs.

-- A job's idempotency key and its runs. `finished_at` is set in the transaction of the effect. A run beyond the first has a
-- reason, counted by the queue: its worker died (stalled), it failed (retried), its worker was stopped (handed_back).
CREATE TABLE job_runs (
  id varchar(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  name varchar(40) CHARACTER SET ascii NOT NULL,
  starts int unsigned NOT NULL,
  stalled int unsigned NOT NULL,
  retried int unsigned NOT NULL,
  handed_back int unsigned NOT NULL,
  skipped int unsigned NOT NULL,
  started_at datetime(3) NOT NULL,
  finished_at datetime(3),
  KEY started (started_at)
);

CREATE TABLE leg_statistics (
  team_id smallint unsigned NOT NULL,
  leg tinyint unsigned NOT NULL,
  place tinyint unsigned NOT NULL,
  behind smallint unsigned NOT NULL,
  pace smallint unsigned NOT NULL,
  batch varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (team_id, leg)
);

CREATE TABLE cheer_digests (
  upto bigint unsigned NOT NULL PRIMARY KEY,
  total bigint unsigned NOT NULL,
  teams smallint unsigned NOT NULL,
  favourite smallint unsigned,
  at datetime(3) NOT NULL
);
