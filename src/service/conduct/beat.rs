//! Answers at fixed beats: how long a list of reports takes would tell how many there are that the reader
//! must not see.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

/// An answer is given at a multiple of this after the question. Longer than any such list should take:
/// whatever is within one beat looks the same.
const BEAT: Duration = Duration::from_millis(250);

/// Does the work, and answers at the next beat. Nothing of the work is held meanwhile.
pub(super) async fn at_beat<T>(work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let answer = work.await;
    tokio::time::sleep(rest(began.elapsed())).await;
    answer
}

/// How long it is to the next beat.
fn rest(elapsed: Duration) -> Duration {
    let beats = elapsed.as_nanos() / BEAT.as_nanos() + 1;
    let beats = u32::try_from(beats).unwrap_or(u32::MAX);
    BEAT.saturating_mul(beats).saturating_sub(elapsed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BEAT, rest};

    #[test]
    fn an_answer_waits_for_the_next_beat() {
        for (elapsed_ms, rest_ms) in
            [(0, 250), (1, 249), (249, 1), (250, 250), (251, 249), (740, 10)]
        {
            let rested = rest(Duration::from_millis(elapsed_ms));
            assert_eq!(rested, Duration::from_millis(rest_ms), "{elapsed_ms}");
        }
        assert!(rest(BEAT * 7) <= BEAT);
    }
}
