//! The notices of the State Council for 2022 to 2026 as data. No rule lives here.
//!
//! Later years come from the database: an administrator enters the notice when it appears.

use jiff::civil::{Date, date};

use super::CalendarYear;

/// The notices for 2022 to 2026, in order (facts 4.6).
pub(super) fn years() -> Vec<CalendarYear> {
    NOTICES
        .iter()
        .map(|notice| CalendarYear {
            year: notice.year,
            version: 1,
            holidays: notice.holidays.to_vec(),
            makeup_days: notice.makeup_days.to_vec(),
            source: format!("国务院办公厅关于{}年部分节假日安排的通知", notice.year),
        })
        .collect()
}

struct Notice {
    year: i16,
    holidays: &'static [(Date, Date)],
    makeup_days: &'static [Date],
}

const NOTICES: &[Notice] = &[
    Notice {
        year: 2022,
        holidays: &[
            (date(2022, 1, 1), date(2022, 1, 3)),
            (date(2022, 1, 31), date(2022, 2, 6)),
            (date(2022, 4, 3), date(2022, 4, 5)),
            (date(2022, 4, 30), date(2022, 5, 4)),
            (date(2022, 6, 3), date(2022, 6, 5)),
            (date(2022, 9, 10), date(2022, 9, 12)),
            (date(2022, 10, 1), date(2022, 10, 7)),
        ],
        makeup_days: &[
            date(2022, 1, 29),
            date(2022, 1, 30),
            date(2022, 4, 2),
            date(2022, 4, 24),
            date(2022, 5, 7),
            date(2022, 10, 8),
            date(2022, 10, 9),
        ],
    },
    Notice {
        year: 2023,
        holidays: &[
            // Begins on a day of the year before.
            (date(2022, 12, 31), date(2023, 1, 2)),
            (date(2023, 1, 21), date(2023, 1, 27)),
            (date(2023, 4, 5), date(2023, 4, 5)),
            (date(2023, 4, 29), date(2023, 5, 3)),
            (date(2023, 6, 22), date(2023, 6, 24)),
            (date(2023, 9, 29), date(2023, 10, 6)),
        ],
        makeup_days: &[
            date(2023, 1, 28),
            date(2023, 1, 29),
            date(2023, 4, 23),
            date(2023, 5, 6),
            date(2023, 6, 25),
            date(2023, 10, 7),
            date(2023, 10, 8),
        ],
    },
    Notice {
        year: 2024,
        holidays: &[
            (date(2024, 1, 1), date(2024, 1, 1)),
            (date(2024, 2, 10), date(2024, 2, 17)),
            (date(2024, 4, 4), date(2024, 4, 6)),
            (date(2024, 5, 1), date(2024, 5, 5)),
            (date(2024, 6, 10), date(2024, 6, 10)),
            (date(2024, 9, 15), date(2024, 9, 17)),
            (date(2024, 10, 1), date(2024, 10, 7)),
        ],
        makeup_days: &[
            date(2024, 2, 4),
            date(2024, 2, 18),
            date(2024, 4, 7),
            date(2024, 4, 28),
            date(2024, 5, 11),
            date(2024, 9, 14),
            date(2024, 9, 29),
            date(2024, 10, 12),
        ],
    },
    Notice {
        year: 2025,
        holidays: &[
            (date(2025, 1, 1), date(2025, 1, 1)),
            (date(2025, 1, 28), date(2025, 2, 4)),
            (date(2025, 4, 4), date(2025, 4, 6)),
            (date(2025, 5, 1), date(2025, 5, 5)),
            (date(2025, 5, 31), date(2025, 6, 2)),
            (date(2025, 10, 1), date(2025, 10, 8)),
        ],
        makeup_days: &[
            date(2025, 1, 26),
            date(2025, 2, 8),
            date(2025, 4, 27),
            date(2025, 9, 28),
            date(2025, 10, 11),
        ],
    },
    Notice {
        year: 2026,
        holidays: &[
            (date(2026, 1, 1), date(2026, 1, 3)),
            (date(2026, 2, 15), date(2026, 2, 23)),
            (date(2026, 4, 4), date(2026, 4, 6)),
            (date(2026, 5, 1), date(2026, 5, 5)),
            (date(2026, 6, 19), date(2026, 6, 21)),
            (date(2026, 9, 25), date(2026, 9, 27)),
            (date(2026, 10, 1), date(2026, 10, 7)),
        ],
        makeup_days: &[
            date(2026, 1, 4),
            date(2026, 2, 14),
            date(2026, 2, 28),
            date(2026, 5, 9),
            date(2026, 9, 20),
            date(2026, 10, 10),
        ],
    },
];
