//! Nothing waits for an acknowledgement of TCP: neither PostgreSQL nor Redis may be spoken to in a way in
//! which a statement of more than one segment takes 40 ms.

use std::time::{Duration, Instant};

use sqlx::PgPool;

/// What leaves in many segments.
const LARGE_BYTES: usize = 100_000;
const MOST: Duration = Duration::from_millis(10);

#[sqlx::test]
async fn a_large_value_reaches_postgresql_at_once(pool: PgPool) {
    let value = vec![7_u8; LARGE_BYTES];
    let mut fastest = Duration::MAX;
    for _ in 0..7 {
        let asked = Instant::now();
        let length: i32 = sqlx::query_scalar("select length($1::bytea)")
            .bind(&value)
            .fetch_one(&pool)
            .await
            .unwrap();
        fastest = fastest.min(asked.elapsed());
        assert_eq!(length, 100_000);
    }
    assert!(fastest < MOST, "{fastest:?}");
}
