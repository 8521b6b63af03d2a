use super::*;
use crate::datum::tests::any_datum;
use crate::fingerprint::Fingerprint;
use crate::schema::{Column, KeyModel};
use crate::types::ColumnType;
use proptest::prelude::*;

const TYPES: [ColumnType; 3] = [ColumnType::Int, ColumnType::Date, ColumnType::Varchar(10)];

fn schema() -> Schema {
    let columns = ["n", "d", "s"].into_iter().zip(TYPES).map(|(name, data_type)| Column::new(name, data_type));
    Schema::new(KeyModel::Duplicate, columns.collect()).expect("fine")
}

fn batch(rows: &[Vec<Datum>]) -> RecordBatch {
    let columns = TYPES.iter().enumerate().map(|(at, data_type)| {
        let values: Vec<Datum> = rows.iter().map(|row| row[at].clone()).collect();
        Datum::array(data_type, &values).expect("values of the type")
    });
    RecordBatch::try_new(schema().arrow(), columns.collect()).expect("a batch")
}

fn row(n: Option<i128>, d: &str, s: &str) -> Vec<Datum> {
    let date = Datum::parse(&ColumnType::Date, d).expect("a date");
    vec![n.map_or(Datum::Null, Datum::Int), date, Datum::Text(s.into())]
}

fn ints(values: &[i128]) -> Vec<Datum> {
    values.iter().copied().map(Datum::Int).collect()
}

fn range(lower: &[i128], upper: &[i128]) -> Bounds {
    let bound = |values: &[i128]| (!values.is_empty()).then(|| ints(values));
    Bounds::Range { lower: bound(lower), upper: bound(upper) }
}

/// Rows that are stored are where these numbers put them.
#[test]
fn hashes_never_change() {
    let hash = |data_type: &str, text: &str| {
        let data_type: ColumnType = data_type.parse().expect("a type");
        let value = Datum::parse(&data_type, text).expect("a value");
        hash_rows(&[Datum::array(&data_type, &[value]).expect("an array")], 1).expect("hashes")[0]
    };
    let hashes = [
        ("BOOLEAN", "true"),
        ("TINYINT", "1"),
        ("BIGINT", "1"),
        ("LARGEINT", "1"),
        ("INT", "-7"),
        ("DECIMAL(10,2)", "12.34"),
        ("DATE", "2024-02-29"),
        ("DATETIME", "2024-02-29 12:00:00"),
        ("STRING", ""),
        ("VARCHAR(20)", "tabularium"),
    ]
    .map(|(data_type, text)| format!("{data_type} {text}: {:08x}", hash(data_type, text)));
    insta::assert_snapshot!(hashes.join("\n"), @r"
    BOOLEAN true: 2fc51328
    TINYINT 1: b3bbf0eb
    BIGINT 1: b3bbf0eb
    LARGEINT 1: b3bbf0eb
    INT -7: 9d4a85d1
    DECIMAL(10,2) 12.34: 722b9246
    DATE 2024-02-29: c8ff611f
    DATETIME 2024-02-29 12:00:00: 6557fa07
    STRING : 74022b0d
    VARCHAR(20) tabularium: 3adea71b
    ");
    assert_eq!(hash("INT", "42"), hash("BIGINT", "42"), "widening a column must not move its rows");
}

#[test]
fn rows_find_their_ranges() {
    let partitions = vec![(range(&[20], &[]), 1), (range(&[], &[10]), 1), (range(&[10], &[15]), 2)];
    let router = Router::new(&schema(), &[0], partitions, Some(&[2])).expect("fine");
    let day = "2024-01-01";
    let rows = [row(Some(9), day, "a"), row(Some(20), day, "b"), row(None, day, "c"), row(Some(14), day, "d")];
    let parts = router.route(&batch(&rows), 0).expect("all fit");
    let places: Vec<(usize, usize)> = parts.iter().map(|part| (part.partition, part.rows.num_rows())).collect();
    assert_eq!(places, [(0, 1), (1, 2), (2, 1)], "NULL is in the lowest range");

    let error = router.route(&batch(&[row(Some(9), day, "a"), row(Some(15), day, "b")]), 0).expect_err("a gap");
    assert_eq!(error.to_string(), "row 2: no partition for (n) = (15); add a partition that takes it");
}

#[test]
fn ranges_over_two_columns_compare_column_by_column() {
    let date = |text: &str| Datum::parse(&ColumnType::Date, text).expect("a date");
    let bound = vec![Datum::Int(1), date("2024-06-01")];
    let low = Bounds::Range { lower: None, upper: Some(bound.clone()) };
    let high = Bounds::Range { lower: Some(bound), upper: Some(ints(&[3])) };
    let router = Router::new(&schema(), &[0, 1], vec![(low, 1), (high, 1)], None).expect("fine");
    let at = |n, d| router.route(&batch(&[row(Some(n), d, "")]), 0).map(|parts| parts[0].partition);
    assert_eq!(at(1, "2024-05-31").expect("fits"), 0);
    assert_eq!(at(1, "2024-06-01").expect("fits"), 1);
    assert_eq!(at(2, "0000-01-01").expect("fits"), 1);
    let error = at(3, "0000-01-01").expect_err("behind the last");
    assert_eq!(error.to_string(), "row 1: no partition for (n, d) = (3, '0000-01-01'); add a partition that takes it");
}

#[test]
fn lists_take_their_values_and_null_only_when_it_is_named() {
    let text = |text: &str| vec![Datum::Text(text.into())];
    let partitions =
        vec![(Bounds::List(vec![text("at"), text("de")]), 1), (Bounds::List(vec![text("fr"), vec![Datum::Null]]), 1)];
    let router = Router::new(&schema(), &[2], partitions, None).expect("fine");
    let mut null = row(Some(1), "2024-01-01", "");
    null[2] = Datum::Null;
    let rows = [row(Some(1), "2024-01-01", "de"), null, row(Some(1), "2024-01-01", "fr")];
    let parts = router.route(&batch(&rows), 0).expect("all fit");
    assert_eq!(parts.iter().map(|r| (r.partition, r.rows.num_rows())).collect::<Vec<_>>(), [(0, 1), (1, 2)]);
    assert!(router.route(&batch(&[row(None, "2024-01-01", "it")]), 0).is_err());
}

#[test]
fn random_rows_are_dealt_out_in_turn() {
    let router = Router::new(&schema(), &[], vec![(Bounds::All, 3)], None).expect("fine");
    let rows: Vec<_> = (0..7).map(|n| row(Some(n), "2024-01-01", "")).collect();
    let parts = router.route(&batch(&rows), 4).expect("all fit");
    let sizes: Vec<(u32, usize)> = parts.iter().map(|r| (r.bucket, r.rows.num_rows())).collect();
    assert_eq!(sizes, [(0, 2), (1, 3), (2, 2)]);
}

#[test]
fn layouts_that_cannot_be_are_refused() {
    let refused = |columns: &[usize], bounds: Vec<Bounds>| {
        let partitions = bounds.into_iter().map(|bounds| (bounds, 1)).collect();
        Router::new(&schema(), columns, partitions, None).expect_err("must be refused").to_string()
    };
    assert_eq!(
        refused(&[0], vec![range(&[1], &[5]), range(&[4], &[6])]),
        "partitions [('1'), ('5')) and [('4'), ('6')) overlap"
    );
    assert_eq!(refused(&[0], vec![range(&[5], &[5])]), "partition [('5'), ('5')) is empty");
    assert_eq!(
        refused(&[0], vec![range(&[1], &[5]), Bounds::List(vec![vec![Datum::Int(9)]])]),
        "RANGE and LIST partitions cannot be mixed"
    );
    let list = |values: &[i128]| Bounds::List(values.iter().map(|value| vec![Datum::Int(*value)]).collect());
    assert_eq!(refused(&[0], vec![list(&[1, 2]), list(&[2])]), "partitions (('1'), ('2')) and (('2')) overlap");
    assert_eq!(refused(&[0], vec![list(&[1, 1])]), "LIST partition (('1'), ('1')) has a value twice");
    assert_eq!(
        refused(&[0], vec![range(&[1, 2], &[])]),
        "a bound has 2 values where the table is partitioned by 1 columns"
    );
    assert!(refused(&[], vec![range(&[], &[])]).contains("one partition, which takes all"));
    assert!(refused(&[0], vec![Bounds::All]).contains("needs bounds"));
    assert!(refused(&[7], vec![]).contains("no column 7"));
    assert!(refused(&[0, 0], vec![]).contains("twice"));
    let wrong = Bounds::Range { lower: Some(vec![Datum::Text("x".into())]), upper: None };
    assert!(refused(&[0], vec![wrong]).contains("'x' is not a value of a INT column"));
    assert!(Router::new(&schema(), &[], vec![(Bounds::All, 0)], None).is_err());
    assert!(Router::new(&schema(), &[], vec![(Bounds::All, 1)], Some(&[])).is_err());
    let double = Schema::new(KeyModel::Duplicate, vec![Column::new("f", ColumnType::Double)]).expect("fine");
    assert!(Router::new(&double, &[], vec![(Bounds::All, 1)], Some(&[0])).is_err());
}

proptest! {
    #[test]
    fn every_row_comes_out_once_where_its_bounds_say(
        rows in proptest::collection::vec(TYPES.map(any_datum).to_vec(), 0..30),
        mut cuts in proptest::collection::vec(any_datum(ColumnType::Int), 0..5),
        buckets in 1u32..5,
        random in any::<bool>(),
        start in any::<u64>(),
    ) {
        cuts.sort();
        cuts.dedup();
        let mut bounds = Vec::new();
        let mut lower = None;
        for cut in cuts {
            let upper = Some(vec![cut]);
            bounds.push(Bounds::Range { lower, upper: upper.clone() });
            lower = upper;
        }
        bounds.push(Bounds::Range { lower, upper: None });
        let partitions = bounds.iter().map(|bounds| (bounds.clone(), buckets)).collect();
        let hash: Option<&[usize]> = if random { None } else { Some(&[2, 1]) };
        let router = Router::new(&schema(), &[0], partitions, hash).expect("ranges without gaps");
        let all = batch(&rows);
        let parts = router.route(&all, start).expect("ranges without gaps");

        let mut whole = Fingerprint::default();
        whole.add(&all).expect("readable");
        let mut together = Fingerprint::default();
        let mut same_key = BTreeMap::new();
        for part in &parts {
            together.add(&part.rows).expect("readable");
            prop_assert!(part.bucket < buckets);
            prop_assert!(part.rows.num_rows() > 0);
            for row in 0..part.rows.num_rows() {
                let value = Datum::at(part.rows.column(0), row).expect("readable");
                prop_assert!(bounds[part.partition].contains(&[value]));
                if !random {
                    let key: Vec<Datum> = [1, 2].map(|at| Datum::at(part.rows.column(at), row).expect("readable")).into();
                    let bucket = same_key.entry(key).or_insert(part.bucket);
                    prop_assert_eq!(*bucket, part.bucket);
                }
            }
        }
        prop_assert_eq!(together, whole);
    }

    #[test]
    fn overlap_is_symmetric_and_means_a_common_row(
        ends in proptest::array::uniform4(proptest::option::of(-3i128..4)),
        row in -4i128..5,
    ) {
        let bound = |end: Option<i128>| end.map(|end| vec![Datum::Int(end)]);
        let [a, b, c, d] = ends;
        let (left, right) =
            (Bounds::Range { lower: bound(a), upper: bound(b) }, Bounds::Range { lower: bound(c), upper: bound(d) });
        prop_assert_eq!(left.overlaps(&right), right.overlaps(&left));
        let row = [Datum::Int(row)];
        if left.contains(&row) && right.contains(&row) {
            prop_assert!(left.overlaps(&right));
        }
    }
}
