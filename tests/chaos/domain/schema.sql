-- The knowledge of those who write to the tables of the domain: recorded in the transaction that writes.

-- One line for each content that was written, good or not.
CREATE TABLE chaos_said (
    said_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tracking_id uuid,
    -- The source of its job.
    source text NOT NULL,
    kind text NOT NULL,
    message_id bigint NOT NULL,
    -- The time of the source row; and when this content was written, which is later if an UPDATE wrote it.
    created_at timestamptz NOT NULL,
    said_at timestamptz NOT NULL,
    -- As the rules read it; null: it is garbage, and must end DEAD.
    content jsonb,
    is_deleted bool NOT NULL DEFAULT false
);
CREATE INDEX ON chaos_said (source, message_id);
CREATE INDEX ON chaos_said (tracking_id);

-- One line for each decision of a person that took effect; a second click has the same correlation id.
CREATE TABLE chaos_click (
    click_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    correlation_id uuid NOT NULL,
    packet_id bigint NOT NULL,
    verb text NOT NULL,
    -- The clinical answer of the verb, if it gives one.
    answer text,
    version_id bigint NOT NULL
);
CREATE INDEX ON chaos_click (packet_id);
CREATE INDEX ON chaos_click (version_id);

-- One line for each request that the JSON Generator received.
CREATE TABLE chaos_request (
    request_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    key text NOT NULL,
    tracking_id uuid NOT NULL,
    behaviour text NOT NULL
);
CREATE INDEX ON chaos_request (key);

-- Each version of a decision as it was written.
CREATE TABLE chaos_version (version_id bigint NOT NULL, digest text NOT NULL);
CREATE INDEX ON chaos_version (version_id);
CREATE FUNCTION chaos_digest(version packet_decision) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT md5((to_jsonb(version) - 'is_active')::text)
$$;
CREATE FUNCTION chaos_record_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_version VALUES (NEW.packet_decision_id, chaos_digest(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_versions AFTER INSERT ON packet_decision FOR EACH ROW EXECUTE FUNCTION chaos_record_version();

-- The keys that it has taken.
CREATE TABLE chaos_key (key text PRIMARY KEY);
