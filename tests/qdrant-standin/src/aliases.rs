//! Calls about aliases: other names of collections, which lead to them wherever a collection is named.

use serde::Deserialize;
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::call::Call;
use crate::store::Store;

/// The body of `POST /collections/aliases`.
#[derive(Deserialize)]
struct Changes {
    actions: Vec<Action>,
}

#[derive(Deserialize)]
enum Action {
    #[serde(rename = "create_alias")]
    Create { collection_name: String, alias_name: String },
    #[serde(rename = "delete_alias")]
    Delete { alias_name: String },
    #[serde(rename = "rename_alias")]
    Rename { old_alias_name: String, new_alias_name: String },
}

/// `GET /aliases`.
pub(crate) fn all(store: &Store) -> Result<Answer, Failure> {
    list(store, |_| true)
}

/// `GET /collections/{c}/aliases`.
pub(crate) fn of_collection(store: &Store, name: &str) -> Result<Answer, Failure> {
    let collection = store.get(name)?;
    list(store, |target| target == collection.name)
}

fn list(store: &Store, wanted: impl Fn(&str) -> bool) -> Result<Answer, Failure> {
    let aliases: Vec<_> = store
        .aliases()
        .into_iter()
        .filter(|(_, target)| wanted(target))
        .map(|(alias, target)| json!({ "alias_name": alias, "collection_name": target }))
        .collect();
    Answer::result(&json!({ "aliases": aliases }))
}

/// `POST /collections/aliases`: all of the actions, or none.
pub(crate) fn change(store: &Store, call: &mut Call<'_>) -> Result<Answer, Failure> {
    let changes: Changes = call.json()?;
    store.change_aliases(|aliases| {
        for action in changes.actions {
            match action {
                Action::Create { collection_name, alias_name } => {
                    if !store.is_collection(&collection_name) {
                        return Err(Failure::no_collection(&collection_name));
                    }
                    if store.is_collection(&alias_name) {
                        let message = format!("Collection `{alias_name}` already exists!");
                        return Err(Failure::conflict(message));
                    }
                    aliases.insert(alias_name, collection_name);
                }
                Action::Delete { alias_name } => {
                    aliases.remove(&alias_name);
                }
                Action::Rename { old_alias_name, new_alias_name } => {
                    let target = aliases
                        .remove(&old_alias_name)
                        .ok_or_else(|| Failure::not_found(format_args!("Alias {old_alias_name} does not exists!")))?;
                    aliases.insert(new_alias_name, target);
                }
            }
        }
        Ok(())
    })?;
    Answer::result(&true)
}
