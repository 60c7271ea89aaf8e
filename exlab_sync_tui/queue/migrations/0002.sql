-- Cleanup: when the last pass that counts was taken, since when local files go, and what somebody decided about a run.

ALTER TABLE jobs ADD COLUMN passed_at TEXT;
ALTER TABLE jobs ADD COLUMN releasing_at TEXT;             -- the durable mark: from here on the run is never sent again
ALTER TABLE jobs ADD COLUMN keep_local INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN beside TEXT NOT NULL DEFAULT '';  -- 8 characters of <run>__conflict-<8 chars>

UPDATE jobs SET passed_at = CASE WHEN last_attempt_at > verified_at THEN last_attempt_at ELSE verified_at END
  WHERE verified_at IS NOT NULL AND verify_passes > 0;

CREATE INDEX jobs_of_pass ON jobs (equipment_id, state, passed_at) WHERE passed_at IS NOT NULL;
CREATE INDEX jobs_releasing ON jobs (equipment_id) WHERE releasing_at IS NOT NULL;
