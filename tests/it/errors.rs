//! The catalogue of reasons and flaws, as a client meets it: this is the documentation of errors.

use jingqi::surface::error::{Flaw, Reason};

#[test]
fn the_catalogue_of_reasons() {
    let lines =
        Reason::ALL.iter().map(|it| format!("{:<26}{:?}: {}", it.wire(), it.kind(), it.zh()));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_catalogue_of_flaws() {
    let lines = Flaw::ALL.iter().map(|it| format!("{:<30}{}", it.wire(), it.zh()));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn no_wire_name_stands_twice() {
    let mut names: Vec<_> = Reason::ALL.iter().map(|it| it.wire()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
