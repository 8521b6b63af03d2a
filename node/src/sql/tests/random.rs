use proptest::prelude::*;

use super::one;
use crate::sql::{
    Aggregate, AlterJob, Backup, BoundValue, CatalogName, Catalogs, ColumnDef, CreateRepository, CreateTable, DataType,
    DefaultClause, Distribution, IntervalUnit, KeyClause, KeyModel, ListPartition, NamedObject, ObjectKind, ObjectName,
    ObjectSelection, PartitionBy, PartitionItem, PartitionSelection, PartitionSeries, Properties, RangeBounds,
    RangePartition, Restore, Retention, SeriesStep, Statement, Upkeep, parse, quote_name, quote_text,
};

/// Any name that back quotes can hold.
fn free_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[^\\x00]{1,12}", Just("select".to_owned())]
}

/// A name of a repository or new partition.
fn plain_name() -> impl Strategy<Value = String> {
    "[a-o][A-Za-z0-9_]{0,9}"
}

fn database_name() -> impl Strategy<Value = String> {
    "[a-z][A-Za-z0-9_~!@#$%^&<>=+-]{0,9}"
}

fn label() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,20}"
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", r#"[\\%_'"`\n\r\x00\x1a a]{0,8}"#]
}

fn object_name() -> impl Strategy<Value = ObjectName> {
    (prop::option::of(database_name()), free_name()).prop_map(|(database, name)| ObjectName { database, name })
}

fn properties() -> impl Strategy<Value = Properties> {
    prop::collection::btree_map(text(), text(), 0..3)
}

/// Names of which none is another's, ignoring case.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.to_lowercase())).collect()
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(free_name(), 1..4).prop_map(distinct)
}

fn data_type() -> impl Strategy<Value = DataType> {
    prop_oneof![
        Just(DataType::Boolean),
        Just(DataType::TinyInt),
        Just(DataType::SmallInt),
        Just(DataType::Int),
        Just(DataType::BigInt),
        Just(DataType::LargeInt),
        Just(DataType::Float),
        Just(DataType::Double),
        (1..=38_u8)
            .prop_flat_map(|precision| (Just(precision), 0..=precision))
            .prop_map(|(precision, scale)| DataType::Decimal { precision, scale }),
        Just(DataType::Date),
        Just(DataType::DateTime),
        (1..=255_u32).prop_map(DataType::Char),
        (1..=1_048_576_u32).prop_map(DataType::Varchar),
        Just(DataType::String),
        (1..=1_048_576_u32).prop_map(DataType::Varbinary),
    ]
}

fn column() -> impl Strategy<Value = ColumnDef> {
    let aggregate = prop::sample::select(vec![
        Aggregate::Sum,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::Replace,
        Aggregate::ReplaceIfNotNull,
        Aggregate::HllUnion,
        Aggregate::BitmapUnion,
        Aggregate::PercentileUnion,
    ]);
    let default = prop_oneof![
        text().prop_map(DefaultClause::Literal),
        Just(DefaultClause::Null),
        Just(DefaultClause::CurrentTimestamp)
    ];
    (
        free_name(),
        data_type(),
        any::<bool>(),
        prop::option::of(aggregate),
        any::<Option<bool>>(),
        prop::option::of(default),
        prop::option::of(text()),
    )
        .prop_map(|(name, data_type, key, aggregate, nullable, default, comment)| ColumnDef {
            name,
            data_type,
            key,
            aggregate,
            nullable,
            default,
            comment,
        })
}

fn bound(width: usize) -> impl Strategy<Value = Vec<BoundValue>> {
    let value = prop_oneof![
        3 => text().prop_map(BoundValue::Value),
        1 => Just(BoundValue::Max)
    ];
    prop::collection::vec(value, 1..=width)
}

fn range_partition(width: usize) -> impl Strategy<Value = RangePartition> {
    let bounds = prop_oneof![
        bound(width).prop_map(|values| {
            if values.iter().all(|value| *value == BoundValue::Max) {
                RangeBounds::LessThanMax
            } else {
                RangeBounds::LessThan(values)
            }
        }),
        (bound(width), bound(width)).prop_map(|(lower, upper)| RangeBounds::Between { lower, upper }),
    ];
    (any::<bool>(), plain_name(), bounds, properties()).prop_map(|(if_not_exists, name, bounds, properties)| {
        RangePartition { if_not_exists, name, bounds, properties }
    })
}

fn series() -> impl Strategy<Value = PartitionSeries> {
    let unit = prop::sample::select(vec![
        IntervalUnit::Hour,
        IntervalUnit::Day,
        IntervalUnit::Week,
        IntervalUnit::Month,
        IntervalUnit::Quarter,
        IntervalUnit::Year,
    ]);
    let step = prop_oneof![
        (1..=u32::MAX, unit).prop_map(|(count, unit)| SeriesStep::Interval { count, unit }),
        (1..=u64::MAX).prop_map(SeriesStep::Number),
    ];
    (text(), text(), step).prop_map(|(start, end, step)| PartitionSeries { start, end, step })
}

fn list_partition(width: usize) -> impl Strategy<Value = ListPartition> {
    let row = prop::collection::vec(prop::option::of(text()), width);
    (any::<bool>(), plain_name(), prop::collection::vec(row, 1..4), properties())
        .prop_map(|(if_not_exists, name, values, properties)| ListPartition { if_not_exists, name, values, properties })
}

fn partition_by() -> impl Strategy<Value = PartitionBy> {
    names().prop_flat_map(|columns| {
        let width = columns.len();
        let item = prop_oneof![
            4 => range_partition(width).prop_map(PartitionItem::One),
            1 => series().prop_map(PartitionItem::Series)
        ];
        let range = (Just(columns.clone()), prop::collection::vec(item, 0..4))
            .prop_map(|(columns, partitions)| PartitionBy::Range { columns, partitions });
        let list = (Just(columns), prop::collection::vec(list_partition(width), 0..4))
            .prop_map(|(columns, partitions)| PartitionBy::List { columns, partitions });
        prop_oneof![range, list]
    })
}

fn create_table() -> impl Strategy<Value = CreateTable> {
    let model =
        prop::sample::select(vec![KeyModel::Duplicate, KeyModel::Primary, KeyModel::Unique, KeyModel::Aggregate]);
    let buckets = || prop::option::of(1..=u32::MAX);
    let distribution = prop_oneof![
        (names(), buckets()).prop_map(|(columns, buckets)| Distribution::Hash { columns, buckets }),
        buckets().prop_map(|buckets| Distribution::Random { buckets }),
    ];
    (
        any::<bool>(),
        object_name(),
        prop::collection::vec(column(), 1..5),
        prop::option::of((model, names())),
        prop::option::of(text()),
        prop::option::of(partition_by()),
        prop::option::of(distribution),
        prop_oneof![Just(Vec::new()), names()],
        properties(),
    )
        .prop_map(
            |(if_not_exists, name, mut columns, keys, comment, partition_by, distribution, order_by, properties)| {
                let mut seen = std::collections::BTreeSet::new();
                columns.retain(|column| seen.insert(column.name.to_lowercase()));
                CreateTable {
                    if_not_exists,
                    name,
                    columns,
                    keys: keys.map(|(model, columns)| KeyClause { model, columns }),
                    comment,
                    partition_by,
                    distribution,
                    order_by,
                    properties,
                }
            },
        )
}

fn selection() -> impl Strategy<Value = ObjectSelection> {
    let kind = || {
        prop::sample::select(vec![
            ObjectKind::Table,
            ObjectKind::View,
            ObjectKind::MaterializedView,
            ObjectKind::Function,
        ])
    };
    let partitions = (any::<bool>(), names()).prop_map(|(temporary, names)| PartitionSelection { temporary, names });
    let named = (kind(), free_name(), prop::option::of(partitions), prop::option::of(free_name())).prop_map(
        |(kind, name, partitions, alias)| {
            ObjectSelection::Named(NamedObject {
                kind,
                name,
                partitions: partitions.filter(|_| kind == ObjectKind::Table),
                alias,
            })
        },
    );
    prop_oneof![1 => kind().prop_map(ObjectSelection::All), 4 => named]
}

/// What is listed, or what is left out.
fn selected() -> impl Strategy<Value = (Option<Vec<ObjectSelection>>, Option<Vec<NamedObject>>)> {
    let some = prop::option::of(prop::collection::vec(selection(), 1..4));
    (some, any::<bool>()).prop_map(|(objects, leave_out)| match objects {
        Some(objects) if leave_out => {
            let named = |selection| match selection {
                ObjectSelection::Named(named) => Some(NamedObject { alias: None, ..named }),
                ObjectSelection::All(_) => None,
            };
            let left_out: Vec<NamedObject> = objects.into_iter().filter_map(named).collect();
            (None, Some(left_out).filter(|names| !names.is_empty()))
        }
        objects => (objects, None),
    })
}

fn catalogs(aliases: bool) -> impl Strategy<Value = Catalogs> {
    let catalog = (plain_name(), prop::option::of(plain_name()))
        .prop_map(move |(name, alias)| CatalogName { name, alias: alias.filter(|_| aliases) });
    prop_oneof![Just(Catalogs::All), prop::collection::vec(catalog, 1..3).prop_map(Catalogs::Listed)]
}

fn backup() -> impl Strategy<Value = Backup> {
    (
        prop::option::of(database_name()),
        label(),
        plain_name(),
        prop::option::weighted(0.2, catalogs(false)),
        selected(),
        properties(),
    )
        .prop_map(|(database, label, repository, catalogs, (objects, excluded), properties)| Backup {
            database: database.filter(|_| catalogs.is_none()),
            label,
            repository,
            objects: objects.filter(|_| catalogs.is_none()),
            excluded: excluded.filter(|_| catalogs.is_none()),
            catalogs,
            properties,
        })
}

fn restore() -> impl Strategy<Value = Restore> {
    (
        label(),
        plain_name(),
        prop::option::of(database_name()),
        prop::option::of(database_name()),
        prop::option::weighted(0.2, catalogs(true)),
        selected(),
        properties(),
    )
        .prop_map(|(label, repository, source, target, catalogs, (objects, excluded), properties)| {
            let source = source.filter(|_| catalogs.is_none());
            Restore {
                label,
                repository,
                target_database: target.filter(|_| catalogs.is_none()).or_else(|| source.clone()),
                snapshot_database: source,
                objects: objects.filter(|_| catalogs.is_none()),
                excluded: excluded.filter(|_| catalogs.is_none()),
                catalogs,
                properties,
            }
        })
}

fn create_repository() -> impl Strategy<Value = CreateRepository> {
    (plain_name(), any::<bool>(), prop::option::of("[a-z ]{1,8}"), "[a-z]{2,5}://[ -~]{0,12}", properties()).prop_map(
        |(name, read_only, broker, location, properties)| CreateRepository {
            name,
            read_only,
            broker,
            location,
            properties,
        },
    )
}

fn retention() -> impl Strategy<Value = Retention> {
    let first = prop_oneof![
        any::<u32>().prop_map(|last| (Some(last), None)),
        text().prop_map(|within| (None, Some(within))),
        (any::<u32>(), text()).prop_map(|(last, within)| (Some(last), Some(within))),
    ];
    (first, any::<Option<u32>>()).prop_map(|((keep_last, keep_within), min)| Retention { keep_last, keep_within, min })
}

fn upkeep() -> impl Strategy<Value = Upkeep> {
    let of = || (label(), plain_name());
    prop_oneof![
        (of(), any::<bool>()).prop_map(|((label, repository), force)| Upkeep::DropSnapshot {
            label,
            repository,
            force
        }),
        (of(), prop::option::of(text())).prop_map(|((label, repository), reason)| Upkeep::HoldSnapshot {
            label,
            repository,
            reason
        }),
        of().prop_map(|(label, repository)| Upkeep::ReleaseSnapshot { label, repository }),
        (plain_name(), retention()).prop_map(|(repository, retention)| Upkeep::SetRetention { repository, retention }),
        plain_name().prop_map(|repository| Upkeep::DropRetention { repository }),
        (plain_name(), prop::option::of(retention()), any::<bool>())
            .prop_map(|(repository, retention, dry_run)| { Upkeep::ApplyRetention { repository, retention, dry_run } }),
        (plain_name(), any::<bool>()).prop_map(|(repository, dry_run)| Upkeep::Sweep { repository, dry_run }),
        (plain_name(), prop::option::of(label()), prop::option::of(text()), properties())
            .prop_map(|(repository, label, level, properties)| Upkeep::Verify { repository, label, level, properties }),
        plain_name().prop_map(|repository| Upkeep::CancelVerify { repository }),
    ]
}

fn alter_job() -> impl Strategy<Value = AlterJob> {
    let properties = prop::collection::btree_map(text(), text(), 1..3);
    (any::<bool>(), prop::option::of(database_name()), properties)
        .prop_map(|(restore, database, properties)| AlterJob { restore, database, properties })
}

/// Words, names and marks in any order: more often nearly a statement than letters in any order are.
fn word_salad() -> impl Strategy<Value = String> {
    let words = "SELECT FROM WHERE INSERT INTO VALUES t a b 1 'x' \"y\" `z` ( ) , ; = . * - + [ ] CREATE TABLE DATABASE \
        REPOSITORY READ ONLY BACKUP RESTORE SNAPSHOT TO ON PARTITION PROPERTIES AS SHOW SET @@a @b := NAMES KEY PRIMARY INT \
        DECIMAL VARCHAR DEFAULT NULL NOT COMMENT PARTITION BY RANGE LIST VALUES LESS THAN MAXVALUE IN START END EVERY INTERVAL \
        DAY DISTRIBUTED HASH BUCKETS ORDER ALTER ADD DROP RENAME TRUNCATE UPDATE DELETE EXPLAIN CASE WHEN THEN CAST JOIN UNION \
        ALL EXTERNAL CATALOG WITH LABEL LIKE EXISTS IF FORCE OR AND FILES CANCEL KILL BEGIN COMMIT LIMIT HOLD RELEASE \
        REASON RETENTION KEEP LAST WITHIN MIN APPLY SWEEP VERIFY LEVEL DRY RUN 7 NOW() /* */ /*! -- #"
        .split_whitespace()
        .collect::<Vec<_>>();
    prop::collection::vec(prop::sample::select(words), 0..30).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn create_table_parses_back(table in create_table()) {
        prop_assert_eq!(
            one(&table.to_string()),
            Statement::CreateTable(Box::new(table.clone())),
            "{}", table
        );
    }

    #[test]
    fn backup_parses_back(backup in backup()) {
        prop_assert_eq!(
            one(&backup.to_string()),
            Statement::Backup(Box::new(backup.clone())),
            "{}", backup
        );
    }

    #[test]
    fn restore_parses_back(restore in restore()) {
        prop_assert_eq!(
            one(&restore.to_string()),
            Statement::Restore(Box::new(restore.clone())),
            "{}", restore
        );
    }

    #[test]
    fn upkeep_parses_back(upkeep in upkeep()) {
        prop_assert_eq!(one(&upkeep.to_string()), Statement::Upkeep(upkeep.clone()), "{}", upkeep);
    }

    #[test]
    fn alter_job_parses_back(alter in alter_job()) {
        prop_assert_eq!(one(&alter.to_string()), Statement::AlterJob(alter.clone()), "{}", alter);
    }

    #[test]
    fn repository_parses_back(repository in create_repository()) {
        prop_assert_eq!(
            one(&repository.to_string()),
            Statement::CreateRepository(repository.clone()),
            "{}", repository
        );
    }

    #[test]
    fn quoted_names_and_texts_parse_back(name in free_name(), text in text()) {
        let table = one(&format!("DROP TABLE {}", quote_name(&name)));
        prop_assert_eq!(
            table,
            Statement::DropTable {
                if_exists: false,
                name: ObjectName { database: None, name },
                force: false
            }
        );
        let comment = one(&format!("ALTER TABLE t COMMENT {}", quote_text(&text)));
        let Statement::AlterTable(alter) = comment else { panic!("not alter") };
        prop_assert_eq!(alter.action, crate::sql::AlterAction::SetComment(text));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        drop(parse(&text));
    }

    #[test]
    fn no_characters_panic(text in any::<String>()) {
        drop(parse(&text));
    }

    #[test]
    fn no_salad_of_words_panics(text in word_salad()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1, "{text}\n{error}");
            prop_assert!(
                error.message.chars().next().is_some_and(|c| !c.is_uppercase()
                    || error.message.split(' ').next().is_some_and(|word| word.chars().all(|c| !c.is_lowercase()))),
                "messages begin in lower case or with a keyword: {error}"
            );
        }
    }

    /// A statement with a piece cut out of it anywhere.
    #[test]
    fn no_damaged_statement_panics(table in create_table(), from in any::<prop::sample::Index>(), len in 0..20_usize) {
        let text: Vec<char> = table.to_string().chars().collect();
        let from = from.index(text.len());
        let to = (from + len).min(text.len());
        let damaged: String = text[..from].iter().chain(&text[to..]).collect();
        drop(parse(&damaged));
    }
}
