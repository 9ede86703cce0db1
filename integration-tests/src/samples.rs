//! Records of the open standards as the tests' sources hold them: number n of a list, with one value that a test may make
//! unreadable. Of seven in a row from the first, each names only companies among them.

/// A compiled OCDS release on a line, with a tender of this budget (as JSON).
pub fn ocds(n: u64, budget: &str) -> String {
    format!(
        r#"{{"ocid":"ocds-1-{n}","id":"{n}","tag":["compiled"],"buyer":{{"id":"H1","name":"甲医院"}},"tender":{{"id":"T{n}","title":"项目{n}","procurementMethod":"open","value":{{"amount":{budget},"currency":"CNY"}}}}}}
"#
    )
}

/// A BODS entity and who holds an interest of this type in it, on a line each.
pub fn bods(n: u64, interest: &str) -> String {
    let (owner, share) = (owner(n), n % 100);
    format!(
        r#"{{"statementId":"e{n}","recordId":"E{n}","recordType":"entity","recordDetails":{{"name":"公司{n}"}}}}
{{"statementId":"r{n}","recordId":"R{n}","recordType":"relationship","recordDetails":{{"subject":"E{n}","interestedParty":"E{owner}","interests":[{{"type":"{interest}","share":{{"exact":{share}}}}}]}}}}
"#
    )
}

/// A FollowTheMoney company and who owns this percentage of it, on a line each.
pub fn ftm(n: u64, percentage: &str) -> String {
    let owner = owner(n);
    format!(
        r#"{{"id":"c{n}","schema":"Company","properties":{{"name":["公司{n}"]}}}}
{{"id":"o{n}","schema":"Ownership","properties":{{"owner":["c{owner}"],"asset":["c{n}"],"percentage":["{percentage}"]}}}}
"#
    )
}

/// The first line of a list of [`firm`]s.
pub const FIRMS: &str = "Firm Name,From Date,To Date,Grounds\n";

/// A debarred firm in CSV.
pub fn firm(n: u64, from: &str) -> String {
    format!("Firm {n},{from},Permanent,Fraud\n")
}

fn owner(n: u64) -> u64 {
    n % 7 + 1
}
