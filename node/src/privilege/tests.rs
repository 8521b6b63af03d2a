use super::*;
use catalog::records::GrantRecord;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

fn scopes() -> impl Strategy<Value = GrantScope> {
    prop_oneof![
        Just(GrantScope::System),
        Just(GrantScope::Catalog),
        Just(GrantScope::AllDatabases),
        names().prop_map(|database| GrantScope::Database { database }),
        Just(GrantScope::AllTables),
        names().prop_map(|database| GrantScope::TablesOf { database }),
        (names(), names()).prop_map(|(database, name)| GrantScope::Table { database, name }),
        Just(GrantScope::AllViews),
        names().prop_map(|database| GrantScope::ViewsOf { database }),
        (names(), names()).prop_map(|(database, name)| GrantScope::View { database, name }),
    ]
}

fn objects() -> impl Strategy<Value = Object> {
    prop_oneof![
        Just(Object::System),
        Just(Object::Catalog),
        names().prop_map(Object::Database),
        Just(Object::AnyDatabase),
        (names(), names()).prop_map(|(database, name)| Object::Table(database, name)),
        Just(Object::AnyTable),
        (names(), names()).prop_map(|(database, name)| Object::View(database, name)),
    ]
}

fn privileges() -> impl Strategy<Value = Privilege> {
    prop::sample::select(WORDS.map(|(_, privilege)| privilege).to_vec())
}

/// A step on a set of grants.
#[derive(Debug, Clone)]
enum Step {
    Grant(GrantScope, Privilege, bool),
    Revoke(GrantScope, Privilege),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (scopes(), privileges(), any::<bool>()).prop_map(|(scope, privilege, option)| Step::Grant(scope, privilege, option)),
        1 => (scopes(), privileges()).prop_map(|(scope, privilege)| Step::Revoke(scope, privilege)),
    ];
    prop::collection::vec(step, 0..24)
}

fn one(privilege: Privilege) -> BTreeSet<Privilege> {
    BTreeSet::from([privilege])
}

/// The obvious model: a list of grants, asked one by one.
fn model_allows(held: &[(GrantScope, Privilege)], privilege: Privilege, object: &Object) -> bool {
    held.iter().any(|(scope, granted)| {
        *granted == privilege
            && match object {
                Object::System => *scope == GrantScope::System,
                Object::Catalog => *scope == GrantScope::Catalog,
                Object::AnyDatabase => *scope == GrantScope::AllDatabases,
                Object::AnyTable => *scope == GrantScope::AllTables,
                Object::Database(d) => {
                    *scope == GrantScope::AllDatabases || *scope == GrantScope::Database { database: d.clone() }
                }
                Object::Table(d, n) => [
                    GrantScope::AllTables,
                    GrantScope::TablesOf { database: d.clone() },
                    GrantScope::Table { database: d.clone(), name: n.clone() },
                ]
                .contains(scope),
                Object::View(d, n) => [
                    GrantScope::AllViews,
                    GrantScope::ViewsOf { database: d.clone() },
                    GrantScope::View { database: d.clone(), name: n.clone() },
                ]
                .contains(scope),
            }
    })
}

proptest! {
    #[test]
    fn a_set_of_grants_is_the_list_of_them(
        steps in steps(),
        asked in prop::collection::vec((privileges(), objects()), 1..20),
    ) {
        let mut set = Privileges::default();
        let mut model: Vec<(GrantScope, Privilege)> = Vec::new();
        for step in &steps {
            match step {
                Step::Grant(scope, privilege, option) => {
                    set.grant(scope, &one(*privilege), *option);
                    model.push((scope.clone(), *privilege));
                }
                Step::Revoke(scope, privilege) => {
                    let held = model.contains(&(scope.clone(), *privilege));
                    prop_assert_eq!(set.revoke(scope, &one(*privilege)), held);
                    model.retain(|(other, granted)| (other, granted) != (scope, privilege));
                }
            }
        }
        for (privilege, object) in &asked {
            prop_assert_eq!(set.allows(*privilege, object), model_allows(&model, *privilege, object));
            if set.allows(*privilege, object) {
                prop_assert!(set.sees(object));
            }
        }
        // As records it is the same set.
        prop_assert_eq!(Privileges::of(&set.records()), set);
    }

    #[test]
    fn more_grants_never_allow_less(
        steps in steps(),
        scope in scopes(),
        more in privileges(),
        privilege in privileges(),
        object in objects(),
    ) {
        let mut set = Privileges::default();
        for step in steps {
            if let Step::Grant(scope, privilege, option) = step {
                set.grant(&scope, &one(privilege), option);
            }
        }
        let before = set.allows(privilege, &object);
        set.grant(&scope, &one(more), false);
        prop_assert!(!before || set.allows(privilege, &object));
    }

    #[test]
    fn what_may_be_granted_on_is_held(steps in steps(), privilege in privileges(), scope in scopes(), object in objects()) {
        let mut set = Privileges::default();
        for step in steps {
            match step {
                Step::Grant(scope, privilege, option) => set.grant(&scope, &one(privilege), option),
                Step::Revoke(scope, privilege) => drop(set.revoke(&scope, &one(privilege))),
            }
        }
        // Nobody can give away more than they have.
        if set.may_grant(privilege, &scope) && covers(&scope, &object) {
            prop_assert!(set.allows(privilege, &object));
        }
    }
}

#[test]
fn a_database_is_seen_through_what_is_in_it() {
    let sees = |scope: GrantScope, privilege| {
        let mut set = Privileges::default();
        set.grant(&scope, &one(privilege), false);
        ["shop", "other"].map(|name| set.sees(&Object::Database(name.to_owned())))
    };
    let shop = || "shop".to_owned();
    assert_eq!(sees(GrantScope::Table { database: shop(), name: "t".to_owned() }, Privilege::Select), [true, false]);
    assert_eq!(sees(GrantScope::ViewsOf { database: shop() }, Privilege::Select), [true, false]);
    assert_eq!(sees(GrantScope::AllTables, Privilege::Insert), [true, true]);
    assert_eq!(sees(GrantScope::System, Privilege::Repository), [false, false]);
}

#[test]
fn a_grant_on_a_table_is_none_on_a_view_of_that_name() {
    let mut set = Privileges::default();
    set.grant(&GrantScope::AllTables, &one(Privilege::Select), false);
    assert!(!set.allows(Privilege::Select, &Object::View("d".to_owned(), "v".to_owned())));
}

#[test]
fn every_privilege_is_on_something_and_has_words() {
    let scopes = [GrantScope::System, GrantScope::Catalog, GrantScope::AllDatabases, GrantScope::AllTables];
    for (said, privilege) in WORDS {
        assert_eq!(said.join(" "), words(privilege));
        assert!(scopes.iter().any(|scope| privileges_on(scope).contains(&privilege)), "{privilege:?}");
    }
}

#[test]
fn an_empty_record_allows_nothing() {
    let nothing = GrantRecord {
        on: GrantScope::AllTables,
        privileges: BTreeSet::new(),
        grantable: BTreeSet::from([Privilege::Select]),
    };
    let set = Privileges::of(&[nothing]);
    assert!(!set.allows(Privilege::Select, &Object::AnyTable));
}
