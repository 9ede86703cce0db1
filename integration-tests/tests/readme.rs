//! Every command in the READMEs and the docs works as written.

use std::path::Path;
use std::process::Command;

use integration_tests::{Office, binary, root};

/// Lines of the fenced `sh` blocks, continued lines joined.
fn commands(markdown: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut inside = false;
    let mut continued = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside && line.trim() == "```sh";
            continue;
        }
        if !inside || line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let text = line.trim().trim_end_matches('\\').trim_end();
        match commands.last_mut() {
            Some(last) if continued => {
                last.push(' ');
                last.push_str(text);
            }
            _ => commands.push(text.to_owned()),
        }
        continued = line.trim_end().ends_with('\\');
    }
    commands
}

fn run_document(document: &str) {
    run_document_with(document, &[]);
}

/// Runs the commands with these texts for those.
fn run_document_with(document: &str, replaced: &[(&str, &str)]) {
    let text = std::fs::read_to_string(root().join(document)).unwrap_or_else(|e| panic!("{document}: {e}"));
    let commands = commands(&text);
    assert!(!commands.is_empty(), "{document} has no sh block");
    let office = Office::new();
    let bin = binary();
    let path = format!(
        "{}:{}",
        bin.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    for command in commands {
        if let Some(chore) = command.strip_prefix("cargo xtask ") {
            check_chore(document, chore);
            continue;
        }
        if command.starts_with("git clone") || command.starts_with("cd ") || command.starts_with("cargo ") {
            continue;
        }
        // Output files go to the temporary folder.
        let mut line = command.replace("OUT/", &format!("{}/", office.dir.path().display()));
        for (from, to) in replaced {
            line = line.replace(from, to);
        }
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(root())
            .env("PATH", &path)
            .env("LIANJING_DATA", office.data())
            .output()
            .expect("sh starts");
        let ok = matches!(output.status.code(), Some(0 | 3));
        assert!(
            ok,
            "{document}: `{command}` ended with {:?}\n{}\n{}",
            output.status.code(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// `cargo xtask CHORE` cannot run inside a test of itself; that the chore exists can be checked.
fn check_chore(document: &str, chore: &str) {
    let name = chore.split_whitespace().next().unwrap_or_default();
    let sources = std::fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let mut variant = name.to_owned();
    variant[..1].make_ascii_uppercase();
    assert!(
        sources.contains(&format!("    {variant}")),
        "{document}: `cargo xtask {chore}`: there is no chore {name}"
    );
}

#[test]
fn readme_commands_work() {
    run_document("README.md");
}

#[test]
fn chinese_readme_commands_work() {
    run_document("README.zh-CN.md");
}

#[test]
fn example_commands_work() {
    run_document("docs/examples/first-hospital/README.md");
}

/// The page's source, a folder, is there under another name.
fn run_sources_page(document: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let orders = "order_id,line_no,amount\nP1,1,10.00\n";
    std::fs::write(folder.path().join("purchase_orders.csv"), orders).expect("a file");
    let folder = folder.path().to_str().expect("a UTF-8 path");
    run_document_with(document, &[("/data/drop", folder)]);
}

#[test]
fn commands_of_the_sources_page_work() {
    run_sources_page("docs/connectors/README.md");
}

#[test]
fn commands_of_the_chinese_sources_page_work() {
    run_sources_page("docs/connectors/README.zh-CN.md");
}

/// Both languages say the same: the commands, but for the language of their output, and where more is to be read.
#[test]
fn both_languages_have_the_same_commands_and_links() {
    for folder in ["", "docs/connectors/"] {
        let [english, chinese] = ["README.md", "README.zh-CN.md"].map(|name| {
            let document = format!("{folder}{name}");
            let text = std::fs::read_to_string(root().join(&document)).expect("it is there");
            let plain = |line: &String| {
                let comment = line.find(" #").unwrap_or(line.len());
                line[..comment].trim_end().replace("--lang zh ", "")
            };
            let told: Vec<String> = commands(&text).iter().map(plain).collect();
            let mut links: Vec<String> = links(&text)
                .map(|link| link.replace(".zh-CN.md", ".md"))
                .filter(|link| link != "README.md")
                .collect();
            links.sort();
            links.dedup();
            (told, links)
        });
        assert_eq!(english, chinese, "{folder}");
    }
}

/// Where the document's links lead.
fn links(markdown: &str) -> impl Iterator<Item = &str> {
    let after = markdown.split("](").skip(1);
    after.filter_map(|rest| rest.split(')').next())
}

#[test]
fn documents_name_only_files_that_exist() {
    for document in [
        "README.md",
        "README.zh-CN.md",
        "docs/ARCHITECTURE.md",
        "docs/connectors/README.md",
        "docs/connectors/README.zh-CN.md",
    ] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let base = Path::new(document).parent().unwrap().to_owned();
        for link in links(&text) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let target = root().join(&base).join(link.split('#').next().unwrap());
            assert!(
                target.exists(),
                "{document} links to {link}, which does not exist"
            );
        }
    }
}

/// The demo does what the README says it does, without staying to serve.
#[test]
fn the_demo_prints_alerts_with_evidence() {
    let office = Office::new();
    let demo = office
        .run(&["demo", "--orders", "5000", "--no-serve"])
        .expect(&[0, 3]);
    assert!(demo.stdout.contains("OFF-01"), "{}", demo.stdout);
    assert!(demo.stdout.contains("purchase_orders"), "{}", demo.stdout);
}
