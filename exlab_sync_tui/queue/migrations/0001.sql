-- Paths and keys are BLOB (os.fsencode), moments are text in UTC, digests are 32 raw bytes.

PRAGMA application_id = 1163414611;  -- "EXLS"

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  run_path BLOB NOT NULL UNIQUE,
  run_folded BLOB NOT NULL,              -- the path in folded case, for the text filter
  equipment_id TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  last_attempt_at TEXT,
  next_attempt_at TEXT,
  last_error TEXT,
  verify_passes INTEGER NOT NULL DEFAULT 0,
  verified_at TEXT,
  enqueued_at TEXT,
  nas_path BLOB NOT NULL DEFAULT x'',
  held INTEGER NOT NULL DEFAULT 0,
  destination_id TEXT NOT NULL DEFAULT '',
  origin TEXT NOT NULL DEFAULT 'monitor',
  round TEXT NOT NULL DEFAULT 'first',
  revision INTEGER NOT NULL DEFAULT 1,
  resent INTEGER NOT NULL DEFAULT 0,
  frozen INTEGER NOT NULL DEFAULT 0,
  publishing TEXT NOT NULL DEFAULT '',
  started_at TEXT,
  evidence TEXT,
  manifest_sha256 TEXT NOT NULL DEFAULT '',
  files_total INTEGER NOT NULL DEFAULT 0,
  bytes_total INTEGER NOT NULL DEFAULT 0,
  -- Both follow from state, held and next_attempt_at, so that a claim reads one index entry:
  ready INTEGER NOT NULL DEFAULT 0,      -- 1: queued, not held, due
  due_us INTEGER                         -- queued, not held, due at this microsecond since 1970
);
CREATE INDEX jobs_ready ON jobs (equipment_id, seq) WHERE ready = 1;
CREATE INDEX jobs_waiting ON jobs (equipment_id, due_us) WHERE due_us IS NOT NULL;
CREATE INDEX jobs_held ON jobs (equipment_id) WHERE held = 1;
CREATE INDEX jobs_of_state ON jobs (state);
CREATE INDEX jobs_of_equipment ON jobs (equipment_id);
CREATE INDEX jobs_of_equipment_state ON jobs (equipment_id, state);

CREATE TABLE counts (
  equipment_id TEXT NOT NULL,
  state TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (equipment_id, state)
) WITHOUT ROWID;
CREATE TRIGGER jobs_counted_in AFTER INSERT ON jobs BEGIN
  INSERT INTO counts VALUES (new.equipment_id, new.state, 1)
  ON CONFLICT (equipment_id, state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER jobs_counted_over AFTER UPDATE OF equipment_id, state ON jobs BEGIN
  UPDATE counts SET number = number - 1 WHERE equipment_id = old.equipment_id AND state = old.state;
  INSERT INTO counts VALUES (new.equipment_id, new.state, 1)
  ON CONFLICT (equipment_id, state) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER jobs_counted_out AFTER DELETE ON jobs BEGIN
  UPDATE counts SET number = number - 1 WHERE equipment_id = old.equipment_id AND state = old.state;
END;

CREATE TABLE files (
  job INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
  rel BLOB NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns NOT NULL,                     -- without a type: text where 64 bits are not enough
  inode NOT NULL,
  sha256 BLOB,
  far_sha256 BLOB,
  rung TEXT,
  published INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (job, rel)
) WITHOUT ROWID;

CREATE TABLE holds (
  key BLOB NOT NULL,
  scope TEXT NOT NULL,
  kind TEXT NOT NULL,
  sentence TEXT NOT NULL,
  since TEXT NOT NULL,
  until TEXT,
  next_step TEXT NOT NULL DEFAULT '',
  equipment_id TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (key, scope)
) WITHOUT ROWID;
CREATE INDEX holds_of_equipment ON holds (equipment_id, key, scope);

CREATE TABLE history (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  run_path BLOB NOT NULL,
  at TEXT NOT NULL,
  job_id TEXT NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  before TEXT NOT NULL DEFAULT '',
  after TEXT NOT NULL DEFAULT '',
  data TEXT NOT NULL DEFAULT '{}'        -- JSON, ASCII only
);
CREATE INDEX history_of_run ON history (run_path);

CREATE TABLE debts (
  run_path BLOB NOT NULL,
  kind TEXT NOT NULL,
  value BLOB NOT NULL,
  since TEXT NOT NULL,
  last_error TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (run_path, kind)
) WITHOUT ROWID;

CREATE TABLE observations (
  run_path BLOB PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  since TEXT NOT NULL,
  seen TEXT NOT NULL,
  taken INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE notes (
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE commands (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  verb TEXT NOT NULL,
  target BLOB NOT NULL,                  -- a path, a job id or an equipment id
  who TEXT NOT NULL,
  at TEXT NOT NULL,
  taken_at TEXT,
  outcome TEXT NOT NULL DEFAULT '',
  exit_code INTEGER,
  done_at TEXT
);
CREATE INDEX commands_unanswered ON commands (seq) WHERE done_at IS NULL;
CREATE INDEX commands_answered ON commands (done_at) WHERE done_at IS NOT NULL;
