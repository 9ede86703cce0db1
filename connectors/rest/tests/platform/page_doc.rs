//! The page for hospital IT names every failure.

use std::path::Path;

#[test]
fn the_page_names_every_failure() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let errors = std::fs::read_to_string(path.join("src/error.rs")).unwrap();
    let page = std::fs::read_to_string(path.join("../../docs/connectors/platform-rest.md")).unwrap();
    let mut count = 0;
    for line in errors
        .lines()
        .filter(|line| line.contains("RestError::") && line.contains("=> ("))
    {
        let reason = line.split('"').nth(1);
        for reason in reason
            .into_iter()
            .filter(|r| *r != "INTERNAL" && *r != "CANCELLED")
        {
            assert!(
                page.contains(&format!("`{reason}`")),
                "{reason} is not in the page"
            );
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
