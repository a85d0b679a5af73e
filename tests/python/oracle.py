#!/usr/bin/env python3
"""The independent oracle of due times: counts again what ten simulated years left behind.

    oracle.py FOLDER [--drop YYYY-MM-DD]

FOLDER holds what `cargo bench --bench years` exported: `obligations.tsv`, `notices.tsv` and `run.tsv`.
Nothing here is shared with the program: the years 2022 to 2026 are retyped from the State Council's
notices, and days, hours, pauses, extensions and the ladder are counted by rules written anew. Every
difference is told and makes it fail. With --drop a make-up day is left out of the retyped calendar, and
only what was opened in the forty days before it is compared: the control, which must find differences.
"""

import datetime
import functools
import multiprocessing
import os
import sys

MICRO = 1_000_000
DAY = 86_400 * MICRO
ZONE = 8 * 3600 * MICRO
HOUR = 3600 * MICRO
EPOCH = datetime.date(1970, 1, 1).toordinal()

# State Council, General Office: holidays (both ends) and make-up working days.
TABLE = """
2022 | 0101-0103 0131-0206 0403-0405 0430-0504 0603-0605 0910-0912 1001-1007 | 0129 0130 0402 0424 0507 1008 1009
2023 | -1231-0102 0121-0127 0405-0405 0429-0503 0622-0624 0929-1006 | 0128 0129 0423 0506 0625 1007 1008
2024 | 0101-0101 0210-0217 0404-0406 0501-0505 0610-0610 0915-0917 1001-1007 | 0204 0218 0407 0428 0511 0914 0929 1012
2025 | 0101-0101 0128-0204 0404-0406 0501-0505 0531-0602 1001-1008 | 0126 0208 0427 0928 1011
2026 | 0101-0103 0215-0223 0404-0406 0501-0505 0619-0621 0925-0927 1001-1007 | 0104 0214 0228 0509 0920 1010
"""


def day_number(year, month, day):
    return datetime.date(year, month, day).toordinal() - EPOCH


def iso(text):
    return datetime.date.fromisoformat(text).toordinal() - EPOCH


def retyped():
    notices = []
    for line in TABLE.strip().splitlines():
        year, ranges, worked = (part.strip() for part in line.split("|"))
        year = int(year)
        free = []
        for part in ranges.split():
            before = part.startswith("-")
            first, last = part.lstrip("-").split("-")
            begin = day_number(year - before, int(first[:2]), int(first[2:]))
            free.append((begin, day_number(year, int(last[:2]), int(last[2:]))))
        work = [day_number(year, int(day[:2]), int(day[2:])) for day in worked.split()]
        notices.append((None, year, free, work))
    return notices


class Calendar:
    """The notices that were known at some time; Monday to Friday where there was none."""

    FIRST = day_number(2021, 1, 1)
    LAST = day_number(2034, 12, 31)

    def __init__(self, notices):
        self.known = {year for _, year, _, _ in notices}
        special = {}
        for _, _, free, work in sorted(notices, key=lambda notice: notice[1]):
            for first, last in free:
                for day in range(first, last + 1):
                    special[day] = False
            for day in work:
                special[day] = True
        # Day 0 of the epoch was a Thursday.
        self.working = [
            special.get(day, (day + 3) % 7 < 5) for day in range(self.FIRST, self.LAST + 1)
        ]
        self.days = [self.FIRST + at for at, works in enumerate(self.working) if works]
        # How many working days there are up to and including each day.
        self.count, total = [], 0
        for works in self.working:
            total += works
            self.count.append(total)

    def nth_after(self, day, n):
        """The n-th working day after the day."""
        return self.days[self.count[day - self.FIRST] + n - 1] if n else day

    def from_day(self, day):
        """The day itself where it is worked, or the next one that is."""
        return day if self.working[day - self.FIRST] else self.nth_after(day, 1)

    def between(self, after, through):
        if through <= after:
            return 0
        return self.count[through - self.FIRST] - self.count[after - self.FIRST]

    def certain(self, moment):
        """Whether the day that a due time ends belongs to a year whose notice is known."""
        day = local_day(moment - MICRO)
        return datetime.date.fromordinal(day + EPOCH).year in self.known


PERIODS = ((9 * HOUR, 12 * HOUR), (13 * HOUR + HOUR // 2, 17 * HOUR + HOUR // 2))


def local_day(moment):
    return (moment + ZONE) // DAY


def midnight_after(day):
    return (day + 1) * DAY - ZONE


def office_end(calendar, moment, hours):
    left = hours * HOUR
    day = local_day(moment)
    while True:
        if calendar.working[day - Calendar.FIRST]:
            for opens, closes in PERIODS:
                begin = max(day * DAY - ZONE + opens, moment)
                span = day * DAY - ZONE + closes - begin
                if span >= left:
                    return begin + left
                left -= max(span, 0)
        day += 1


def more_days(calendar, due, days):
    """The end of the so-manyth working day after the last day of a limit."""
    return midnight_after(calendar.nth_after(local_day(due - MICRO), days)) if days else due


def end_of_limit(calendar, opened, limit, pauses, extension):
    """When a limit ends, and whether the calendar was needed for it."""
    unit, amount = limit
    day = local_day(opened)
    stopped = 0
    floor = None

    def end():
        if unit == "NATURAL_HOURS":
            base = opened + amount * HOUR + stopped
        elif unit == "WORKING_HOURS":
            base = office_end(calendar, opened, amount)
        elif unit == "WORKING_DAYS":
            base = midnight_after(calendar.nth_after(day, amount + stopped))
        else:
            base = midnight_after(calendar.from_day(day + amount + stopped))
        base = more_days(calendar, base, extension)
        return base if floor is None else max(base, floor)

    due = end()
    for begin, finish in pauses:
        if begin >= due:
            break
        if unit == "NATURAL_HOURS":
            stopped += finish - begin
        else:
            first, last = local_day(begin), local_day(finish)
            stopped += calendar.between(first, last) if unit == "WORKING_DAYS" else last - first
            floor = midnight_after(calendar.from_day(last))
        due = max(due, end())
    return due, unit != "NATURAL_HOURS" or extension > 0


def times(calendar, opened, limits, pauses, extension):
    """Due time, reminder, law, internal, provisional: all from what happened."""
    promised, legal, internal = limits

    def ends(limit, days):
        if limit is None:
            return None
        due, counted = end_of_limit(calendar, opened, limit, pauses, days)
        return due, counted and not calendar.certain(due)

    law = ends(legal, 0)
    due = ends(promised, extension)
    if law and law[0] < due[0]:
        due = law
    own = ends(internal, extension)
    if own and due[0] < own[0]:
        own = due
    if own and own[0] < due[0]:
        amber = own[0]
    else:
        stood = sum(max(0, min(finish, due[0]) - begin) for begin, finish in pauses)
        amber = due[0] - max(0, due[0] - opened - stood) // 4
    return due[0], amber, law[0] if law else None, own[0] if own else None, due[1]


@functools.lru_cache(maxsize=None)
def read_limit(text):
    if not text:
        return None
    unit, amount = text.split(":")
    return unit, int(amount)


class Run:
    def __init__(self, folder, dropped):
        with open(os.path.join(folder, "run.tsv")) as file:
            self.start, self.tick, self.end = (int(field) for field in file.read().split())
        notices = retyped()
        if dropped is not None:
            assert any(dropped in work for _, _, _, work in notices), "no make-up day"
            notices = [
                (when, year, free, [day for day in work if day != dropped])
                for when, year, free, work in notices
            ]
        self.dropped = dropped
        self.calendars = [(None, Calendar(notices))]
        with open(os.path.join(folder, "notices.tsv")) as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
        for when, year, first, last, work in sorted(rows, key=lambda row: int(row[0])):
            free = list(zip(map(iso, first.split(";")), map(iso, last.split(";"))))
            # A corrected notice replaces the older one of its year.
            notices = [notice for notice in notices if notice[1] != int(year)]
            notices.append((int(when), int(year), free, [iso(day) for day in work.split(";") if day]))
            self.calendars.append((int(when), Calendar(notices)))
        self.imports = [when for when, _ in self.calendars if when is not None]

    def calendar_at(self, moment):
        """A notice is known after the tick at which it was entered."""
        found = self.calendars[0][1]
        for when, calendar in self.calendars[1:]:
            if when < moment:
                found = calendar
        return found

    def first_tick(self, moment):
        return self.start + -(-(moment - self.start) // self.tick) * self.tick

    def relevant(self, opened):
        if self.dropped is None:
            return True
        day = local_day(opened)
        return self.dropped - 40 <= day < self.dropped

    def replay(self, opened, limits, pauses, extension, met):
        """What the row must hold, and the steps that must have been taken."""
        happened = [(opened, 0, None)]
        for begin, finish in pauses:
            happened.append((begin, 0, "pause"))
            if finish is not None:
                happened.append((finish, 0, "resume"))
        if extension:
            happened.append((extension[0], 0, "extend"))
        for when in self.imports:
            if opened <= when and (met is None or met > when):
                happened.append((when, 1, "recount"))
        happened.sort(key=lambda event: event[:2])
        last_tick = self.end if met is None else min(self.end, self.first_tick(met) - self.tick)
        steps, level, unlawful, stands, granted, now = {}, 0, False, False, 0, None
        for at, (moment, _, what) in enumerate(happened):
            if what == "pause":
                stands = True
            else:
                if what == "resume":
                    stands = False
                elif what == "extend":
                    granted = extension[1]
                after = moment + (what == "recount")
                calendar = self.calendar_at(after)
                ended = [pause for pause in pauses if pause[1] is not None and pause[1] <= moment]
                now = times(calendar, opened, limits, ended, granted)
            begins = self.first_tick(moment)
            ends = last_tick
            if at + 1 < len(happened):
                following, later, _ = happened[at + 1]
                ends = min(ends, self.first_tick(following) - self.tick)
            if stands or begins > ends:
                continue
            # Steps that are due late are counted by what is known when they are taken.
            known = self.calendar_at(begins + 1)
            due, amber, law, _, _ = now
            while level < 4:
                if level == 0:
                    step = amber
                elif level == 1:
                    step = due
                else:
                    step = more_days(known, due, 1 if level == 2 else 5)
                taken = max(begins, self.first_tick(step))
                if taken > ends:
                    break
                level += 1
                steps[level] = (step, taken)
            if law is not None and not unlawful:
                taken = max(begins, self.first_tick(law))
                if taken <= ends:
                    unlawful = True
                    steps[5] = (law, taken)
        return now, steps


RUN = None


def number(text):
    return int(text) if text else None


def compare(share):
    """Compares the lines of one share of the file."""
    path, begin, finish = share
    compared = dues = steps_seen = off = moved = 0
    told = []
    with open(path, "rb") as file:
        if begin:
            # A line belongs to the piece in which it begins.
            file.seek(begin - 1)
            file.readline()
        while file.tell() <= finish:
            line = file.readline()
            if not line:
                break
            fields = line.decode().rstrip("\n").split("\t")
            opened = int(fields[2])
            if not RUN.relevant(opened):
                continue
            limits = tuple(read_limit(text) for text in fields[3:6])
            due, amber, law, own = (number(text) for text in fields[6:10])
            pauses = [
                (int(first), number(last))
                for first, last in (pair.split(":") for pair in fields[12].split(";") if pair)
            ]
            extension = tuple(map(int, fields[13].split(":"))) if fields[13] else None
            taken = {}
            for entry in fields[14].split(";"):
                if entry:
                    level, step, when = map(int, entry.split(":"))
                    taken[level] = (step, when)
            expected, steps = RUN.replay(opened, limits, pauses, extension, number(fields[11]))
            stored = (due, amber, law, own, fields[10] == "t")
            compared += 1
            dues += 1 + (law is not None) + (own is not None)
            steps_seen += len(steps)
            moved += bool(pauses or extension)
            if stored != expected or taken != steps:
                off += 1
                if len(told) < 5:
                    told.append(f"{fields[0]} {fields[1]}\n  stored   {stored} {taken}\n"
                                f"  expected {expected} {steps}\n  from {fields[2:6]} {pauses} {extension}")
    return compared, dues, steps_seen, moved, off, told


def main():
    global RUN
    folder = sys.argv[1]
    dropped = iso(sys.argv[3]) if sys.argv[2:3] == ["--drop"] else None
    RUN = Run(folder, dropped)
    path = os.path.join(folder, "obligations.tsv")
    size = os.path.getsize(path)
    pieces = 16
    edges = [size * at // pieces for at in range(pieces + 1)]
    shares = [(path, edges[at], edges[at + 1] - 1) for at in range(pieces)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map(compare, shares, chunksize=1)
    compared, dues, steps, moved, off = (sum(result[at] for result in results) for at in range(5))
    for told in [line for result in results for line in result[5]][:5]:
        print(told)
    print(f"oracle: {compared} obligations ({moved} paused or extended), {dues} due times and "
          f"{steps} steps of the ladder compared, {off} off")
    if compared == 0:
        sys.exit("nothing was compared")
    sys.exit(1 if off else 0)


if __name__ == "__main__":
    main()
