//! The schema by itself: its constraints have names, and rows of the history are never rewritten. Its closed
//! lists are compared with the drawings by `drawings`.

use sqlx::PgPool;

async fn constraint(pool: &PgPool, name: &str) -> String {
    sqlx::query_scalar("select pg_get_constraintdef(oid) from pg_constraint where conname = $1")
        .bind(name.to_owned())
        .fetch_one(pool)
        .await
        .unwrap()
}

#[sqlx::test]
async fn every_constraint_was_named_by_hand(pool: PgPool) {
    let generated: Vec<String> = sqlx::query_scalar(
        "select conname from pg_constraint join pg_namespace n on n.oid = connamespace
         where n.nspname = 'public' and contype in ('c', 'x', 'u')
            and (conname ~ '_(check|excl|key)[0-9]*$')",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(generated, Vec::<String>::new());
}

// OP-13: the history is append-only, whoever asks.
#[sqlx::test]
async fn the_history_is_never_rewritten(pool: PgPool) {
    let insert = "insert into change (id, collection, subject_id, from_state, to_state, action,
            actor, public_note, internal_note, method, call_id, create_time)
        values (gen_random_uuid(), 'x', gen_random_uuid(), '', 'A', 'B', 'c', '', '', 'm',
            gen_random_uuid(), now())";
    sqlx::query(insert).execute(&pool).await.unwrap();
    for statement in ["update change set actor = 'somebody'", "delete from change"] {
        let refused = sqlx::query(statement).execute(&pool).await.unwrap_err();
        assert!(refused.to_string().contains("never rewritten"), "{refused}");
    }
}

// I6, I7: what the domain refuses, the database refuses too.
#[sqlx::test]
async fn two_active_long_term_passes_of_one_vehicle_and_zone_cannot_be_stored(pool: PgPool) {
    let definition = constraint(&pool, "pass_one_active_per_plate").await;
    for part in ["plate_number WITH =", "zone_id WITH =", "validity WITH &&", "WHERE (holds)"] {
        assert!(definition.contains(part), "{definition}");
    }
    let definition = constraint(&pool, "truck_pass_one_per_application").await;
    assert_eq!(definition, "UNIQUE (pass_application_id)");
}
