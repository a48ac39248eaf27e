-- What the chaos test adds to the project's tables.
CREATE TABLE chaos_message (
    message_id bigint PRIMARY KEY,
    decision_tracking_id uuid,
    payload jsonb,
    channel_type_id bigint,
    is_deleted bool NOT NULL DEFAULT false,
    -- As a producer knows it: it lies further back than any lookback reaches, so only the reconcile can find it.
    is_beyond_lookback bool NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON chaos_message (created_at, message_id);
CREATE INDEX ON chaos_message (message_id) WHERE is_beyond_lookback;
CREATE CONSTRAINT TRIGGER wakes AFTER INSERT ON chaos_message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (CASE WHEN coalesce(current_setting('inbox.hint', true), '') = ''
           THEN set_config('inbox.hint', 'due', true) = 'due' ELSE false END)
EXECUTE FUNCTION inbox_notify();

-- What waiting messages wait for.
CREATE TABLE chaos_thing (tracking_id uuid PRIMARY KEY);

-- The witness: no unique key, so that an effect done twice shows.
CREATE TABLE chaos_effect (inbox_id bigint NOT NULL);
CREATE INDEX ON chaos_effect (inbox_id);

-- Every move of every job, and the process that made it.
CREATE TABLE chaos_move (
    move_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    inbox_id bigint NOT NULL,
    old_status text NOT NULL,
    new_status text NOT NULL,
    lease_id uuid,
    process text NOT NULL DEFAULT current_setting('application_name'),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON chaos_move (inbox_id, lease_id);
CREATE FUNCTION chaos_record_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_move (inbox_id, old_status, new_status, lease_id)
    VALUES (NEW.inbox_id, OLD.status, NEW.status, NEW.lease_id);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_moves AFTER UPDATE ON integration_inbox FOR EACH ROW EXECUTE FUNCTION chaos_record_move();

-- A line for each shift of the server's clock: after one, no time tells how long something took.
CREATE TABLE chaos_shift (by_s float8 NOT NULL);
