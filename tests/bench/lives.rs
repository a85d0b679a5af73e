//! What happens in the simulated years: drawn from a seed, without any calendar. When complaints are filed,
//! accepted, signed, returned, extended, answered, or never answered; when applications are accepted,
//! corrected and decided, and booked places confirmed.

use jingqi::surface::domain::complaint::Category;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// Seconds.
pub const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Something that happens to one thing that is owed.
#[derive(Debug, Clone, Copy)]
pub enum Happening {
    /// It is owed from now on.
    Opened(Owes),
    /// Its time stands still: the unit returned the complaint.
    Paused,
    /// It goes on.
    Resumed,
    /// So many working days more, where it is not late.
    Extended(u32),
    /// It is done.
    Met,
}

/// What is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owes {
    /// Taking a complaint of a category in.
    Acceptance(Category),
    /// Signing for it.
    Signature(Category),
    /// The answer.
    Handling(Category),
    /// The decision on an application, of a temporary pass or of another.
    Decision {
        /// A temporary one is promised sooner.
        temporary: bool,
    },
    /// The confirmation of a booked place.
    Confirmation,
}

/// How many things are owed in one life, at most.
pub const OWED_MAX: u64 = 5;

/// One happening: when, to what, in the order in which they were drawn.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Unix seconds.
    pub time: i64,
    /// Which thing that is owed: [`OWED_MAX`] to a life.
    pub owing: u64,
    /// What.
    pub what: Happening,
}

/// Draws lives.
pub struct Lives {
    random: StdRng,
    filed: u64,
}

impl Lives {
    /// The same seed draws the same lives.
    pub fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), filed: 0 }
    }

    /// A complaint that is filed in a stretch of time, with all that will happen to it.
    pub fn draw(&mut self, from: i64, until: i64) -> Vec<Event> {
        let category = match self.between(0, 100) {
            0..10 => Category::Urgent,
            10..35 => Category::Consultation,
            35..60 => Category::Help,
            60..90 => Category::Complaint,
            _ => Category::Suggestion,
        };
        let base = self.filed * OWED_MAX;
        self.filed += 1;
        let mut events = Vec::with_capacity(8);
        let mut tell = |time, at, what| events.push(Event { time, owing: base + at, what });
        let filed = self.between(from, until);
        for (at, time, what) in self.permits(filed) {
            tell(time, at, what);
        }
        tell(filed, 0, Happening::Opened(Owes::Acceptance(category)));
        if self.one_in(200) {
            return events;
        }
        let accepted = filed + self.delay(10 * HOUR, 4 * DAY);
        tell(accepted, 0, Happening::Met);
        if self.one_in(3) {
            let assigned = accepted + self.between(0, 8 * HOUR);
            tell(assigned, 1, Happening::Opened(Owes::Signature(category)));
            if !self.one_in(100) {
                tell(assigned + self.delay(6 * HOUR, 3 * DAY), 1, Happening::Met);
            }
        }
        tell(accepted, 2, Happening::Opened(Owes::Handling(category)));
        let mut now = accepted;
        let returns = if self.one_in(7) { 1 + i64::from(self.one_in(5)) } else { 0 };
        for _ in 0..returns {
            now += self.between(HOUR, 3 * DAY);
            tell(now, 2, Happening::Paused);
            now += self.between(HOUR, 6 * DAY);
            tell(now, 2, Happening::Resumed);
        }
        if category != Category::Urgent && self.one_in(10) {
            now += self.between(0, 3 * DAY);
            let days = u32::try_from(self.between(1, 6)).unwrap_or(1);
            tell(now, 2, Happening::Extended(days));
        }
        if !self.one_in(50) {
            let usual = if category == Category::Urgent { DAY } else { 8 * DAY };
            now += self.delay(usual * 3 / 4, usual * 3);
            tell(now, 2, Happening::Met);
        }
        events
    }

    /// One life in four asks for a pass, too, and one in six for a place at the centre.
    fn permits(&mut self, from: i64) -> Vec<(u64, i64, Happening)> {
        let mut told = Vec::new();
        if self.one_in(4) {
            let temporary = self.one_in(5);
            let mut now = from + self.delay(8 * HOUR, 2 * DAY);
            told.push((3, now, Happening::Opened(Owes::Decision { temporary })));
            for _ in 0..i64::from(self.one_in(4)) + i64::from(self.one_in(16)) {
                now += self.between(HOUR, 3 * DAY);
                told.push((3, now, Happening::Paused));
                now += self.between(HOUR, 9 * DAY);
                told.push((3, now, Happening::Resumed));
            }
            if !self.one_in(60) {
                told.push((3, now + self.delay(4 * DAY, 40 * DAY), Happening::Met));
            }
        }
        if self.one_in(6) {
            told.push((4, from, Happening::Opened(Owes::Confirmation)));
            if !self.one_in(80) {
                told.push((4, from + self.delay(20 * HOUR, 5 * DAY), Happening::Met));
            }
        }
        told
    }

    /// Mostly soon, one time in six late.
    fn delay(&mut self, soon: i64, late: i64) -> i64 {
        if self.one_in(6) { self.between(soon, late) } else { self.between(60, soon) }
    }

    /// A number of the range, its end excluded.
    pub fn between(&mut self, from: i64, until: i64) -> i64 {
        self.random.random_range(from..until)
    }

    fn one_in(&mut self, of: i64) -> bool {
        self.between(0, of) == 0
    }
}
