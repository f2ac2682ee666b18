-- The two tables of a Dify chat app that NocoDB shows, as Dify's models declare them.
CREATE TABLE conversations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL DEFAULT gen_random_uuid(),
    model_provider varchar(255),
    model_id varchar(255),
    mode varchar(255) NOT NULL DEFAULT 'chat',
    name varchar(255) NOT NULL DEFAULT '',
    summary text,
    inputs json NOT NULL DEFAULT '{}',
    status varchar(255) NOT NULL DEFAULT 'normal',
    from_source varchar(255) NOT NULL DEFAULT 'api',
    from_end_user_id uuid,
    from_account_id uuid,
    dialogue_count integer NOT NULL DEFAULT 0,
    created_at timestamp without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    is_deleted boolean NOT NULL DEFAULT false
);
CREATE INDEX conversation_app_created_at_idx ON conversations (app_id, created_at DESC);
CREATE INDEX conversation_app_from_user_idx
    ON conversations (app_id, from_source, from_end_user_id);

CREATE TABLE messages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL DEFAULT gen_random_uuid(),
    model_provider varchar(255),
    model_id varchar(255),
    conversation_id uuid NOT NULL,
    inputs json NOT NULL DEFAULT '{}',
    query text NOT NULL DEFAULT '',
    message json NOT NULL DEFAULT '[]',
    message_tokens integer NOT NULL DEFAULT 0,
    message_unit_price numeric(10, 4) NOT NULL DEFAULT 0,
    answer text NOT NULL DEFAULT '',
    answer_tokens integer NOT NULL DEFAULT 0,
    answer_unit_price numeric(10, 4) NOT NULL DEFAULT 0,
    provider_response_latency double precision NOT NULL DEFAULT 0,
    total_price numeric(10, 7),
    currency varchar(255) NOT NULL DEFAULT 'USD',
    status varchar(255) NOT NULL DEFAULT 'normal',
    error text,
    message_metadata text,
    from_source varchar(255) NOT NULL DEFAULT 'api',
    from_end_user_id uuid,
    from_account_id uuid,
    parent_message_id uuid,
    workflow_run_id uuid,
    created_at timestamp without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX message_conversation_id_idx ON messages (conversation_id);
CREATE INDEX message_created_at_idx ON messages (created_at);
CREATE INDEX message_app_id_idx ON messages (app_id, created_at);
