use super::*;

fn int(name: &str) -> Column {
    Column::new(name, ColumnType::Int)
}

fn error(model: KeyModel, columns: Vec<Column>) -> String {
    Schema::new(model, columns).expect_err("must be refused").to_string()
}

#[test]
fn a_checked_schema_answers_for_its_columns() {
    let schema = Schema::new(
        KeyModel::Primary,
        vec![
            int("Id").key().not_null(),
            Column::new("when", ColumnType::DateTime).key().not_null(),
            Column::new("Note", ColumnType::String).default_value(DefaultValue::Literal("-".into())),
        ],
    )
    .expect("fine");
    assert_eq!(schema.key_len(), 2);
    assert_eq!(schema.index_of("ID"), Some(0));
    assert_eq!(schema.index_of("NOTE"), Some(2));
    assert_eq!(schema.index_of("nix"), None);
    assert_eq!(schema.arrow().fields().len(), 3);
    assert_eq!(schema.arrow_keys().fields().len(), 2);
    let json = serde_json::to_string(&schema).expect("serializes");
    assert_eq!(serde_json::from_str::<Schema>(&json).expect("reads"), schema);
    insta::assert_snapshot!(json, @r#"{"model":"primary","columns":[{"name":"Id","data_type":"INT","nullable":false,"key":true},{"name":"when","data_type":"DATETIME","nullable":false,"key":true},{"name":"Note","data_type":"STRING","nullable":true,"key":false,"default":{"literal":"-"}}]}"#);
}

#[test]
fn a_stored_schema_is_checked_again() {
    let json = r#"{"model":"primary","columns":[{"name":"a","data_type":"INT","nullable":true,"key":true}]}"#;
    let error = serde_json::from_str::<Schema>(json).expect_err("nullable key");
    assert!(error.to_string().contains("must be NOT NULL"), "{error}");
}

#[test]
fn rules_are_named_when_broken() {
    use KeyModel::{Duplicate, Primary};
    assert_eq!(error(Duplicate, vec![]), "a table has 1 to 10000 columns, not 0");
    assert_eq!(
        error(Duplicate, vec![int("a"), int("A")]),
        "column 'A' is there twice; capitals do not tell names apart"
    );
    assert_eq!(
        error(Duplicate, vec![int("a"), int("b").key()]),
        "key columns come first: 'b' is a key and stands behind 'a', which is none"
    );
    for data_type in [ColumnType::Float, ColumnType::Double, ColumnType::Varbinary(4)] {
        assert_eq!(
            error(Duplicate, vec![Column::new("f", data_type).key()]),
            format!("column 'f' of type {data_type} cannot be a key column")
        );
    }
    assert_eq!(error(Primary, vec![int("a")]), "a PRIMARY KEY table needs at least one key column");
    assert_eq!(error(Primary, vec![int("a").key()]), "key column 'a' of a PRIMARY KEY table must be NOT NULL");
    assert_eq!(
        error(Duplicate, vec![int("a").default_value(DefaultValue::Literal("x".into()))]),
        "default of column 'a': 'x' is not a valid INT"
    );
    assert_eq!(
        error(Duplicate, vec![int("a").not_null().default_value(DefaultValue::Null)]),
        "column 'a' is NOT NULL and cannot have NULL as its default"
    );
    assert_eq!(
        error(Duplicate, vec![int("a").default_value(DefaultValue::CurrentTimestamp)]),
        "default CURRENT_TIMESTAMP needs a DATETIME column; 'a' is INT"
    );
    assert!(error(Duplicate, vec![int("")]).contains("cannot name a column"));
    assert!(error(Duplicate, vec![Column::new("c", ColumnType::Char(0))]).contains("CHAR(0) is out of the limits"));
}

#[test]
fn a_duplicate_table_may_have_no_key() {
    assert_eq!(Schema::new(KeyModel::Duplicate, vec![int("a")]).expect("fine").key_len(), 0);
}
