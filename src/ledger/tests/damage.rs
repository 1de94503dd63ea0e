//! Crashes and failing disks: what was acknowledged is there, what was not is gone, and a start always succeeds.

use super::*;

#[tokio::test]
async fn rule_p3_a_kill_at_any_byte_keeps_what_is_whole() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    append(&ledger, 1..=3).await;
    drop(ledger);
    let whole = fs::read(home.segment("2026-11")).unwrap();
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    // A power loss that also lost the notes, or a copy of the file alone.
    for cut in (0..=whole.len()).step_by(13).chain(ends.iter().flat_map(|end| [end - 1, *end])) {
        for note in ["head", "shipped"] {
            let _ = fs::remove_file(home.path().join(note));
        }
        fs::write(home.segment("2026-11"), &whole[..cut]).unwrap();
        let kept = ends.iter().filter(|end| **end <= cut).count() as u64;
        let (ledger, recovery) = home.opened();
        let torn = (cut - ends.iter().filter(|end| **end <= cut).max().unwrap_or(&0)) as u64;
        assert_eq!((recovery.seq, recovery.torn_bytes, recovery.damaged, recovery.missing), (kept, torn, 0, 0));
        assert_eq!(append(&ledger, 50..=50).await[0].seq, kept + 1);
        assert_eq!((home.findings(), home.rows().1), (vec![], 0), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_damaged_line_stays_and_is_named_and_the_chain_goes_on_behind_it() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    append(&ledger, 1..=4).await;
    drop(ledger);
    let text = fs::read_to_string(home.segment("2026-11")).unwrap();
    for damaged in [2, 4] {
        fs::remove_file(home.path().join("head")).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[damaged - 1] = "\0\0\0 not a row".into();
        fs::write(home.segment("2026-11"), lines.join("\n") + "\n").unwrap();
        let (ledger, recovery) = home.opened();
        assert_eq!((recovery.seq, recovery.damaged, recovery.missing), (4, 1, 0));
        assert_eq!(append(&ledger, 5..=5).await[0].seq, 5);
        let (rows, others) = home.rows();
        assert_eq!((rows.len(), others), (4, 1));
        let findings = home.findings();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].kind, findings[0].seq), (Kind::Removed, Some(damaged as u64)));
    }
    let found = Rows::of(&home.path()).unwrap().find(|found| matches!(found, Found::Unreadable { .. }));
    assert!(matches!(found, Some(Found::Unreadable { ref file, line: 4, .. }) if file == "2026-11.jsonl"), "{found:?}");
}

#[tokio::test]
async fn a_cut_off_end_is_missed_and_its_numbers_are_not_given_again() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    append(&ledger, 1..=4).await;
    drop(ledger);
    let text = fs::read_to_string(home.segment("2026-11")).unwrap();
    let kept: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    fs::write(home.segment("2026-11"), kept).unwrap();
    assert_eq!(home.findings().len(), 1);
    let (ledger, recovery) = home.opened();
    assert_eq!((recovery.seq, recovery.missing), (4, 2));
    assert_eq!(append(&ledger, 5..=5).await[0].seq, 5);
    let findings = home.findings();
    assert_eq!((findings.len(), findings[0].kind, findings[0].seq), (1, Kind::Removed, Some(3)));
    assert!(findings[0].what.contains("rows 3 to 4"), "{}", findings[0]);
}

#[tokio::test]
async fn a_disk_that_fails_leaves_nothing_behind_and_works_again_once_it_is_well() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    append(&ledger, 1..=2).await;
    for written in [0, 1, 500, 100_000] {
        let before = fs::read(home.segment("2026-11")).unwrap();
        ledger.faults().next_write_ends_after(written);
        let refused = ledger.append(entry(90, NOW + 90)).await.unwrap_err();
        assert!(matches!(refused, LedgerError::NotWritten(std::io::ErrorKind::StorageFull)), "{refused}");
        assert_eq!(fs::read(home.segment("2026-11")).unwrap(), before);
        append(&ledger, 3..=3).await;
    }
    drop(ledger);
    assert_eq!(home.opened().1, Recovery { seq: 6, ..Recovery::default() });
    assert_eq!(home.findings(), []);
    assert!(home.rows().0.iter().all(|row| row.entry.receipt != 90));
}

#[test]
fn who_verifies_while_rows_are_appended_finds_nothing_wrong() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    let appending = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(append(&ledger, 1..=400));
    });
    let mut looks = 0;
    while !appending.is_finished() || looks == 0 {
        assert_eq!((home.findings(), home.damaged()), (vec![], 0));
        looks += 1;
    }
    appending.join().unwrap();
    assert_eq!((home.findings(), home.rows().0.len()), (vec![], 400));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_said_with_what_to_do() {
    let home = Home::new();
    fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    fs::write(home.path(), "a file in the way").unwrap();
    let error = Ledger::open(&home.path(), home.ring.clone(), 7, NOW).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("ledger"), "{error}");
}

#[tokio::test]
async fn without_the_note_of_it_the_chain_is_the_one_its_rows_say() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    let chain = ledger.chain();
    append(&ledger, 1..=2).await;
    drop(ledger);
    for damage in [None, Some("garbage")] {
        match damage {
            None => fs::remove_file(home.path().join("chain")).unwrap(),
            Some(text) => fs::write(home.path().join("chain"), text).unwrap(),
        }
        let (ledger, recovery) = home.opened();
        assert_eq!((ledger.chain(), recovery.seq), (chain, 2));
    }
    assert_eq!(home.findings(), []);
}

#[tokio::test]
async fn rule_p3_the_note_of_the_last_row_is_signed_for_what_it_is() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    let done = append(&ledger, 1..=3).await;
    let head = || Notes::read(&home.path(), &home.keys()).head;
    let last = LastRow { chain: ledger.chain(), seq: 3, hash: done[2].hash };
    assert_eq!(head(), Some(last));
    let path = home.path().join("head");
    let note = fs::read_to_string(&path).unwrap();
    let row = fs::read_to_string(home.segment("2026-11")).unwrap().lines().nth(1).unwrap().to_owned();
    // With the signature of the row, which is of the same hash.
    let row_signature = home.rows().0[2].signature;
    let mut of_row: serde_json::Value = serde_json::from_str(&note).unwrap();
    of_row["signature"] = crate::ledger::hex::hex(&row_signature).into();
    let another = note.replace("\"seq\":3", "\"seq\":2");
    assert_ne!(another, note);
    for forged in [row, of_row.to_string(), another, "junk".into()] {
        fs::write(&path, forged).unwrap();
        let notes = Notes::read(&home.path(), &home.keys());
        assert!(notes.head.is_none() && notes.head_is_forged);
    }
    // Removed while the gateway runs: there again with the next row.
    fs::remove_file(&path).unwrap();
    assert!(!Notes::read(&home.path(), &home.keys()).head_is_forged);
    append(&ledger, 4..=4).await;
    assert_eq!(head().map(|head| head.seq), Some(4));
    // And with the next start, as after a loss of power.
    drop(ledger);
    fs::write(&path, note).unwrap();
    let (_ledger, recovery) = home.opened();
    assert_eq!((recovery.seq, recovery.missing, head().map(|head| head.seq)), (4, 0, Some(4)));
}
