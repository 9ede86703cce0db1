//! Which columns of a file say what: kinds of fields, and their detection from English and Chinese headers.

use serde::{Deserialize, Serialize};

use crate::org::OrgName;

/// What a column holds, which decides how its values are normalised, blocked and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Name of an organisation.
    OrgName,
    /// Whole name of a person, in either order.
    PersonName,
    GivenName,
    Surname,
    /// 统一社会信用代码.
    Uscc,
    /// 居民身份证号.
    IdNumber,
    /// Any other code that should identify: registration, insurance, staff number.
    Code,
    Phone,
    Account,
    Email,
    /// A whole address in one text.
    Address,
    /// One line of an address, or a street.
    AddressLine,
    /// House number.
    HouseNumber,
    /// Suburb, town, district.
    Place,
    Postcode,
    /// A day.
    Date,
    /// One of few values: sex, state, type.
    Category,
    /// Any other text, compared by its letters.
    Text,
}

/// A column that takes part in matching.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub kind: FieldKind,
}

/// The fields of a set of records, in the order in which their values are given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schema {
    pub fields: Vec<Field>,
}

impl Schema {
    /// The place of a field; `None` when there is none of that name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// The first field of a kind.
    pub fn of_kind(&self, kind: FieldKind) -> Option<usize> {
        self.fields.iter().position(|f| f.kind == kind)
    }

    /// All fields of a kind.
    pub fn all_of_kind(&self, kind: FieldKind) -> impl Iterator<Item = usize> + '_ {
        (0..self.fields.len()).filter(move |i| self.fields[*i].kind == kind)
    }
}

/// Field names known by default, their kind, and the headers under which files carry them, folded as
/// [`fold_header`] does.
const KNOWN: &[(&str, FieldKind, &[&str])] = &[
    (
        "name",
        FieldKind::OrgName,
        &[
            "companyname",
            "orgname",
            "organisation",
            "organization",
            "organisationname",
            "organizationname",
            "company",
            "supplier",
            "suppliername",
            "vendor",
            "vendorname",
            "公司名称",
            "企业名称",
            "单位名称",
            "供应商名称",
            "供应商",
            "机构名称",
            "名称",
            "公司",
            "企业",
            "单位",
            "投标人",
            "中标人",
            "厂商",
            "生产企业",
            "配送企业",
        ],
    ),
    (
        "person_name",
        FieldKind::PersonName,
        &[
            "fullname",
            "personname",
            "姓名",
            "人员姓名",
            "员工姓名",
            "职工姓名",
        ],
    ),
    (
        "uscc",
        FieldKind::Uscc,
        &[
            "usccode",
            "unifiedsocialcreditcode",
            "creditcode",
            "统一社会信用代码",
            "统一信用代码",
            "社会信用代码",
            "信用代码",
            "统一代码",
            "税号",
            "纳税人识别号",
        ],
    ),
    (
        "id_number",
        FieldKind::IdNumber,
        &[
            "idno",
            "idcard",
            "nationalid",
            "身份证号",
            "身份证号码",
            "身份证",
            "公民身份号码",
            "证件号码",
        ],
    ),
    (
        "legal_representative",
        FieldKind::PersonName,
        &[
            "legalrepresentative",
            "legalrep",
            "representative",
            "法定代表人",
            "法人代表",
            "法人",
            "负责人",
            "法定代表人姓名",
        ],
    ),
    (
        "phone",
        FieldKind::Phone,
        &[
            "telephone",
            "tel",
            "mobile",
            "phonenumber",
            "电话",
            "联系电话",
            "手机",
            "手机号",
            "手机号码",
            "电话号码",
            "联系方式",
        ],
    ),
    (
        "account",
        FieldKind::Account,
        &[
            "bankaccount",
            "accountnumber",
            "银行账号",
            "银行账户",
            "账号",
            "开户账号",
            "银行卡号",
        ],
    ),
    (
        "email",
        FieldKind::Email,
        &["emailaddress", "mail", "邮箱", "电子邮箱", "电子邮件", "电邮"],
    ),
    (
        "address",
        FieldKind::Address,
        &[
            "registeredaddress",
            "地址",
            "注册地址",
            "住所",
            "通讯地址",
            "联系地址",
            "经营地址",
            "家庭住址",
            "住址",
        ],
    ),
    (
        "birth_date",
        FieldKind::Date,
        &[
            "birthdate",
            "dob",
            "dateofbirth",
            "birthday",
            "出生日期",
            "生日",
            "出生年月",
        ],
    ),
    (
        "given_name",
        FieldKind::GivenName,
        &["givenname", "firstname", "forename", "名", "名字"],
    ),
    (
        "surname",
        FieldKind::Surname,
        &["lastname", "familyname", "姓", "姓氏"],
    ),
    (
        "street_number",
        FieldKind::HouseNumber,
        &["streetnumber", "housenumber", "门牌号"],
    ),
    (
        "address_1",
        FieldKind::AddressLine,
        &["address1", "addressline1", "street"],
    ),
    ("address_2", FieldKind::AddressLine, &["address2", "addressline2"]),
    (
        "suburb",
        FieldKind::Place,
        &["city", "town", "locality", "城市", "区县", "district"],
    ),
    (
        "postcode",
        FieldKind::Postcode,
        &["zip", "zipcode", "postalcode", "邮编", "邮政编码"],
    ),
    (
        "state",
        FieldKind::Category,
        &["province", "省份", "省", "region"],
    ),
    ("sex", FieldKind::Category, &["gender", "性别"]),
    (
        "soc_sec_id",
        FieldKind::Code,
        &[
            "socsecid",
            "ssn",
            "社保号",
            "registrationnumber",
            "注册号",
            "工号",
        ],
    ),
];

/// Headers of the column that names a record.
const RECORD_ID: [&str; 9] = [
    "recid",
    "recordid",
    "id",
    "uniqueid",
    "编号",
    "序号",
    "记录编号",
    "recordno",
    "rowid",
];

/// A header as it is looked up: lower case, letters and digits only.
pub fn fold_header(header: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    header
        .nfkc()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether a header names the column of record ids.
pub fn is_record_id(header: &str) -> bool {
    RECORD_ID.contains(&fold_header(header).as_str())
}

/// The known field that a header means.
pub fn known_field(header: &str) -> Option<Field> {
    let folded = fold_header(header);
    KNOWN
        .iter()
        .find(|(name, _, headers)| fold_header(name) == folded || headers.contains(&folded.as_str()))
        .map(|(name, kind, _)| Field {
            name: (*name).to_owned(),
            kind: *kind,
        })
}

/// Whether a header says that its column holds names of organisations, as 公司名称 does and 名称 does not.
pub fn says_organisation(header: &str) -> bool {
    let open = ["name", "名称", "supplier", "供应商", "投标人", "中标人", "vendor"];
    known_field(header).is_some_and(|f| f.kind == FieldKind::OrgName)
        && !open.contains(&fold_header(header).as_str())
}

/// Names of all known fields, as `--map` takes them.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _, _)| *name)
}

/// All known fields, each with a Chinese header it goes by: `name 公司名称, ...`.
pub fn known_headers() -> String {
    let one = |(name, _, headers): &(&str, FieldKind, &[&str])| match headers.iter().find(|h| !h.is_ascii()) {
        Some(chinese) => format!("{name} {chinese}"),
        None => (*name).to_owned(),
    };
    KNOWN.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A column of a file, and the field that it fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub column: usize,
    pub field: Field,
}

/// How the columns of a file are understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// The column of record ids, when there is one.
    pub record_id: Option<usize>,
    pub bindings: Vec<Binding>,
    /// Headers that no field takes.
    pub unused: Vec<String>,
}

/// A mapping or a file that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    #[error("--map {field}={column}: the file has no column {column:?}; it has {found}")]
    NoSuchColumn {
        field: String,
        column: String,
        found: String,
    },
    #[error(
        "--map {0}: unknown field; known are record_id, {1}, or `<new name>:<kind>` with a kind such as text or category"
    )]
    NoSuchField(String, String),
    #[error("--map {0:?} is not of the form field=column")]
    NoMapping(String),
    #[error(
        "no column can be matched on; the file has {0}. Headers that are known 可识别的表头: {known}. Name others with --map FIELD=COLUMN 其他列用 --map 指定, e.g. --map name=COLUMN", known = known_headers()
    )]
    NothingUsable(String),
    #[error(
        "the columns {0} say too little to match on; name what tells the records apart with --map FIELD=COLUMN 请用 --map 指定名称等列, e.g. --map name=COLUMN. Headers that are known 可识别的表头: {known}", known = known_headers()
    )]
    OnlyCategories(String),
    #[error("columns {0:?} and {1:?} both fill the field {2}; choose with --map {2}=COLUMN")]
    Twice(String, String, String),
}

/// Binds a file's columns to fields: those named by `map` (field, column), the rest by their headers.
///
/// # Errors
/// When `map` names what is not there, or no column is usable.
pub fn layout(headers: &[&str], map: &[(String, String)]) -> Result<Layout, LayoutError> {
    let found = || headers.join(", ");
    let mut out = Layout::default();
    let mut taken = vec![false; headers.len()];
    for (field, column) in map {
        let at = headers
            .iter()
            .position(|h| h.trim() == column.trim())
            .or_else(|| headers.iter().position(|h| fold_header(h) == fold_header(column)))
            .ok_or_else(|| LayoutError::NoSuchColumn {
                field: field.clone(),
                column: column.clone(),
                found: found(),
            })?;
        taken[at] = true;
        if is_record_id(field) {
            out.record_id = Some(at);
            continue;
        }
        let field = mapped_field(field)?;
        out.bindings.push(Binding { column: at, field });
    }
    for (at, header) in headers.iter().enumerate().filter(|(at, _)| !taken[*at]) {
        if out.record_id.is_none() && is_record_id(header) {
            out.record_id = Some(at);
            continue;
        }
        let field = known_field(header);
        match field {
            Some(field) if map.iter().any(|(mapped, _)| *mapped == field.name) => {
                out.unused.push((*header).to_owned())
            }
            Some(field) => out.bindings.push(Binding { column: at, field }),
            None => out.unused.push((*header).to_owned()),
        }
    }
    for (i, a) in out.bindings.iter().enumerate() {
        if let Some(b) = out.bindings[..i].iter().find(|b| b.field.name == a.field.name) {
            return Err(LayoutError::Twice(
                headers[b.column].to_owned(),
                headers[a.column].to_owned(),
                a.field.name.clone(),
            ));
        }
    }
    if out.bindings.is_empty() {
        return Err(LayoutError::NothingUsable(found()));
    }
    // Categories, house numbers and postcodes narrow, but tell nobody.
    let narrows = |kind| {
        matches!(
            kind,
            FieldKind::Category | FieldKind::HouseNumber | FieldKind::Postcode | FieldKind::Place
        )
    };
    if map.is_empty() && out.bindings.iter().all(|b| narrows(b.field.kind)) {
        let columns: Vec<&str> = out.bindings.iter().map(|b| headers[b.column]).collect();
        return Err(LayoutError::OnlyCategories(columns.join(", ")));
    }
    Ok(out)
}

/// The field that the left side of `--map` names: a known one, or `name:kind`.
fn mapped_field(text: &str) -> Result<Field, LayoutError> {
    let unknown = || LayoutError::NoSuchField(text.to_owned(), known_names().collect::<Vec<_>>().join(", "));
    if let Some((name, kind)) = text.split_once(':') {
        let kind = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(kind);
        let kind = FieldKind::deserialize(kind).map_err(|_| unknown())?;
        return Ok(Field {
            name: name.to_owned(),
            kind,
        });
    }
    KNOWN
        .iter()
        .find(|(name, _, _)| *name == text)
        .map(|(name, kind, _)| Field {
            name: (*name).to_owned(),
            kind: *kind,
        })
        .ok_or_else(unknown)
}

/// Endings of organisations' names.
const ORG_ENDS: [&str; 34] = [
    "公司",
    "集团",
    "厂",
    "店",
    "行",
    "部",
    "所",
    "院",
    "中心",
    "合伙)",
    "合伙）",
    "社",
    "学校",
    "大学",
    "会",
    "局",
    "ltd",
    "ltd.",
    "inc",
    "inc.",
    "llc",
    "gmbh",
    "corp",
    "corp.",
    "limited",
    "plc",
    "company",
    "co.",
    "s.a.",
    "ag",
    "bv",
    "b.v.",
    "pty",
    "corporation",
];

/// Whether a `name` column holds organisations rather than persons: more than half of the values end like one, name a
/// trade or are too long for a person.
pub fn holds_organisations<'a>(values: impl Iterator<Item = &'a str>) -> bool {
    let (mut organisations, mut all) = (0usize, 0usize);
    for value in values.map(str::trim).filter(|v| !v.is_empty()) {
        all += 1;
        let lower = value.to_lowercase();
        let han = value.chars().filter(|c| !c.is_ascii()).count();
        let long = han > 6 || value.split_whitespace().count() > 4;
        let ends = || ORG_ENDS.iter().any(|end| lower.ends_with(end));
        // 康瑞医药: a short form, without an ending, that names a trade.
        let trades = || han >= 4 && !OrgName::parse(value).trades.is_empty();
        organisations += usize::from(long || ends() || trades());
    }
    organisations * 2 > all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_and_english_headers_are_understood() {
        let headers = [
            "编号",
            "公司名称",
            "统一社会信用代码",
            "法定代表人",
            "电话",
            "注册地址",
            "邮箱",
            "备注",
        ];
        let layout = layout(&headers, &[]).unwrap();
        assert_eq!(layout.record_id, Some(0));
        let names: Vec<&str> = layout.bindings.iter().map(|b| b.field.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "name",
                "uscc",
                "legal_representative",
                "phone",
                "address",
                "email"
            ]
        );
        assert_eq!(layout.unused, ["备注"]);
        assert_eq!(known_field("Date Of Birth").unwrap().name, "birth_date");
        assert_eq!(known_field("First_Name").unwrap().kind, FieldKind::GivenName);
    }

    #[test]
    fn a_mapping_wins_and_a_wrong_one_is_refused() {
        let map = |text: &[(&str, &str)]| -> Vec<(String, String)> {
            text.iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect()
        };
        let found = layout(
            &["甲", "供应商"],
            &map(&[("name", "甲"), ("grade:category", "供应商")]),
        )
        .unwrap();
        assert_eq!(found.bindings[0].field.kind, FieldKind::OrgName);
        assert_eq!(found.bindings[1].field.kind, FieldKind::Category);
        let error = layout(&["甲"], &map(&[("name", "乙")])).unwrap_err().to_string();
        assert!(error.contains("乙") && error.contains("甲"), "{error}");
        let error = layout(&["甲"], &map(&[("colour", "甲")]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("legal_representative"), "{error}");
        assert!(matches!(
            layout(&["甲", "id"], &[]),
            Err(LayoutError::NothingUsable(_))
        ));
        let error = layout(&["甲", "乙"], &[]).unwrap_err().to_string();
        for told in [
            "甲, 乙",
            "name 公司名称",
            "id_number 身份证号",
            "--map name=COLUMN",
        ] {
            assert!(error.contains(told), "{error}");
        }
        assert!(matches!(
            layout(&["编号", "省份", "性别"], &[]),
            Err(LayoutError::OnlyCategories(_))
        ));
        assert!(matches!(
            layout(&["电话", "手机"], &[]),
            Err(LayoutError::Twice(..))
        ));
    }

    #[test]
    fn a_column_of_names_tells_what_it_names() {
        assert!(holds_organisations(
            ["杭州康瑞医药有限公司", "Acme Ltd", "王伟"].into_iter()
        ));
        assert!(holds_organisations(
            ["康瑞医药", "联影智元医疗", "王伟"].into_iter()
        ));
        assert!(!holds_organisations(["王伟", "李娜", "John Smith"].into_iter()));
    }
}
