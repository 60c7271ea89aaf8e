-- How much waits: bytes of each group of jobs, and how many of its jobs have no size yet, kept as the numbers are.

ALTER TABLE counts ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE counts ADD COLUMN unsized INTEGER NOT NULL DEFAULT 0;  -- jobs of which no file is known

UPDATE counts SET (bytes, unsized) = (
  SELECT coalesce(sum(bytes_total), 0), coalesce(sum(files_total = 0), 0) FROM jobs
  WHERE jobs.equipment_id = counts.equipment_id AND jobs.state = counts.state
);

DROP TRIGGER jobs_counted_in;
DROP TRIGGER jobs_counted_over;
DROP TRIGGER jobs_counted_out;
CREATE TRIGGER jobs_counted_in AFTER INSERT ON jobs BEGIN
  INSERT INTO counts (equipment_id, state, number, bytes, unsized)
  VALUES (new.equipment_id, new.state, 1, new.bytes_total, new.files_total = 0)
  ON CONFLICT (equipment_id, state) DO UPDATE SET
    number = number + 1, bytes = bytes + excluded.bytes, unsized = unsized + excluded.unsized;
END;
CREATE TRIGGER jobs_counted_over AFTER UPDATE OF equipment_id, state, bytes_total, files_total ON jobs BEGIN
  UPDATE counts SET number = number - 1, bytes = bytes - old.bytes_total, unsized = unsized - (old.files_total = 0)
  WHERE equipment_id = old.equipment_id AND state = old.state;
  INSERT INTO counts (equipment_id, state, number, bytes, unsized)
  VALUES (new.equipment_id, new.state, 1, new.bytes_total, new.files_total = 0)
  ON CONFLICT (equipment_id, state) DO UPDATE SET
    number = number + 1, bytes = bytes + excluded.bytes, unsized = unsized + excluded.unsized;
END;
CREATE TRIGGER jobs_counted_out AFTER DELETE ON jobs BEGIN
  UPDATE counts SET number = number - 1, bytes = bytes - old.bytes_total, unsized = unsized - (old.files_total = 0)
  WHERE equipment_id = old.equipment_id AND state = old.state;
END;
