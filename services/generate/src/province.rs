//! A province: its registers, and the steps with which lawful and unlawful matters are told.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::calendar::{date, day, plus};
use crate::identity::Mint;
use crate::ink::{Cell, text};
use crate::names::{self, Class};
use crate::register::Register;
use crate::schema::SHEETS;
use crate::truth::{Allowed, Decoy, Planted, RowKey, Truth};

/// Region code of the province itself; its cities are 990100, 990200, ...
pub(crate) const PROVINCE: &str = "990000";
/// Other provinces, which credit records come from.
pub(crate) const ELSEWHERE: [&str; 2] = ["980000", "970000"];

#[derive(Debug, Clone)]
pub(crate) struct Hospital {
    pub(crate) id: String,
    pub(crate) region: &'static str,
    pub(crate) staff: Vec<Person>,
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Empty for somebody who is not on a hospital's staff.
    pub(crate) staff_id: String,
    pub(crate) name: String,
    pub(crate) id_number: String,
}

/// A company that need not be a supplier.
#[derive(Debug, Clone)]
pub(crate) struct Company {
    pub(crate) name: String,
    pub(crate) uscc: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Supplier {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) uscc: String,
    pub(crate) products: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) national_code: Option<String>,
    /// Listed price in ten-thousandths of a yuan.
    pub(crate) price: i64,
}

/// How an order was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Platform,
    FiledOffline,
    Offline,
    Emergency,
}

/// A planted purchase line; indices point into the province.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) order_id: String,
    pub(crate) line_no: u32,
    pub(crate) day: u32,
    pub(crate) hospital: usize,
    pub(crate) supplier: usize,
    pub(crate) product: usize,
    pub(crate) quantity: i64,
    /// Ten-thousandths of a yuan.
    pub(crate) price: i64,
    pub(crate) channel: Channel,
    pub(crate) platform_order_id: String,
    pub(crate) filing_no: String,
}

impl Line {
    pub(crate) fn key(&self) -> RowKey {
        RowKey::line(&self.order_id, self.line_no)
    }
}

/// A planted platform order.
#[derive(Debug, Clone)]
pub(crate) struct PlatformOrder {
    pub(crate) id: String,
    pub(crate) day: u32,
    pub(crate) hospital: usize,
    pub(crate) supplier: usize,
    pub(crate) product: usize,
    pub(crate) quantity: i64,
    pub(crate) price: i64,
    pub(crate) status: &'static str,
}

/// What a supplier's entry in the register says besides its names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) kind: Option<&'static str>,
    pub(crate) name: Option<String>,
    pub(crate) legal: Option<Person>,
    pub(crate) legal_without_number: bool,
    pub(crate) phone: Option<String>,
    pub(crate) address: Option<String>,
}

pub(crate) struct Province {
    pub(crate) seed: u64,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) mint: Mint,
    pub(crate) registers: BTreeMap<&'static str, Register>,
    pub(crate) hospitals: Vec<Hospital>,
    pub(crate) suppliers: Vec<Supplier>,
    pub(crate) products: Vec<Product>,
    pub(crate) lines: Vec<Line>,
    pub(crate) platform_orders: Vec<PlatformOrder>,
    pub(crate) truth: Truth,
    companies: u64,
    product_numbers: u64,
    serial: u64,
}

impl Province {
    pub(crate) fn new(seed: u64) -> Self {
        let registers = SHEETS
            .iter()
            .map(|sheet| {
                (
                    sheet.dataset,
                    Register {
                        sheet,
                        rows: Vec::new(),
                    },
                )
            })
            .collect();
        Self {
            seed,
            rng: ChaCha8Rng::seed_from_u64(seed),
            mint: Mint::new(seed),
            registers,
            hospitals: Vec::new(),
            suppliers: Vec::new(),
            products: Vec::new(),
            lines: Vec::new(),
            platform_orders: Vec::new(),
            truth: Truth::default(),
            companies: 0,
            product_numbers: 0,
            serial: 0,
        }
    }

    /// Adds a row to a register.
    pub(crate) fn put(&mut self, dataset: &'static str, cells: Vec<(&'static str, Cell)>) {
        if let Some(register) = self.registers.get_mut(dataset) {
            register.put(cells);
        }
    }

    /// A number that was not given out before.
    pub(crate) fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    // === hospitals and people ===

    pub(crate) fn hospital(&mut self, region: &'static str, staff: usize) -> usize {
        let index = self.hospitals.len();
        let id = format!("H{:04}", index + 1);
        let uscc = self.mint.uscc("12");
        let city = ["省", "甲市", "乙市", "丙市", "丁市"][index % 5];
        self.put(
            "hospitals",
            vec![
                ("hospital_id", text(&id)),
                ("name", text(format!("示例{city}第{}人民医院", index + 1))),
                ("uscc", text(uscc)),
                ("grade", text(["三级甲等", "三级乙等", "二级甲等"][index % 3])),
                ("region_code", text(region)),
            ],
        );
        self.hospitals.push(Hospital {
            id,
            region,
            staff: Vec::new(),
        });
        for _ in 0..staff {
            self.staff(index, None);
        }
        index
    }

    /// Somebody who is on no hospital's staff.
    pub(crate) fn person(&mut self) -> Person {
        Person {
            staff_id: String::new(),
            name: names::person(&mut self.rng),
            id_number: self.mint.id_number(),
        }
    }

    /// Takes somebody on; `left_on` is given for who has left again.
    pub(crate) fn staff(&mut self, hospital: usize, left_on: Option<NaiveDate>) -> Person {
        let number = self.hospitals[hospital].staff.len() + 1;
        let mut person = self.person();
        person.staff_id = format!("E{:04}{number:03}", hospital + 1);
        let phone = self.mint.mobile();
        let department = names::DEPARTMENTS[number % names::DEPARTMENTS.len()];
        let key = number % 6 == 1;
        let since = plus(date(2012, 1, 1), i64::from(self.rng.random_range(0..3_600_u32)));
        let hospital_id = self.hospitals[hospital].id.clone();
        self.put(
            "staff",
            vec![
                ("staff_id", text(&person.staff_id)),
                ("hospital_id", text(hospital_id)),
                ("name", text(&person.name)),
                ("id_number", Cell::Code(person.id_number.clone())),
                ("phone", text(phone)),
                ("department", text(department)),
                ("post", text(if key { "科长" } else { "科员" })),
                ("is_key_post", Cell::Bool(key)),
                ("post_since", Cell::Date(since)),
                ("left_on", left_on.map_or(Cell::Null, Cell::Date)),
            ],
        );
        self.hospitals[hospital].staff.push(person.clone());
        person
    }

    // === companies ===

    /// A company that no register of suppliers knows.
    pub(crate) fn company(&mut self) -> Company {
        let name = names::company(self.companies, self.seed);
        self.companies += 1;
        Company {
            name,
            uscc: self.mint.uscc("91"),
        }
    }

    /// A distributor with its own people, address, phone and account.
    pub(crate) fn supplier(&mut self) -> usize {
        self.supplier_with(Entry::default())
    }

    pub(crate) fn supplier_with(&mut self, entry: Entry) -> usize {
        let index = self.suppliers.len();
        let mut company = self.company();
        if let Some(name) = entry.name {
            company.name = name;
        }
        let id = format!("G{:06}", index + 1);
        let legal = entry.legal.unwrap_or_else(|| self.person());
        let phone = entry.phone.unwrap_or_else(|| self.mint.mobile());
        let address = entry.address.unwrap_or_else(|| {
            let n = self.next();
            format!("示例省{}区{}路{}号", n % 97 + 1, n / 97 % 89 + 1, n % 9973 + 1)
        });
        let account = self.mint.account();
        let founded = plus(date(2003, 1, 1), i64::from(self.rng.random_range(0..5_000_u32)));
        let number = if entry.legal_without_number {
            Cell::Null
        } else {
            text(&legal.id_number)
        };
        self.put(
            "suppliers",
            vec![
                ("supplier_id", text(&id)),
                ("name", text(&company.name)),
                ("uscc", text(&company.uscc)),
                ("kind", text(entry.kind.unwrap_or("配送企业"))),
                ("legal_representative", text(&legal.name)),
                ("legal_representative_id_number", number),
                ("address", text(address)),
                ("phone", text(phone)),
                ("email", text(format!("office{}@example.com", index + 1))),
                ("bank_account", text(account)),
                ("established_on", Cell::Date(founded)),
                ("status", text("存续")),
            ],
        );
        self.suppliers.push(Supplier {
            id,
            name: company.name,
            uscc: company.uscc,
            products: Vec::new(),
        });
        index
    }

    /// The supplier as a company, for relations and declarations.
    pub(crate) fn as_company(&self, supplier: usize) -> Company {
        let s = &self.suppliers[supplier];
        Company {
            name: s.name.clone(),
            uscc: s.uscc.clone(),
        }
    }

    /// The trio that names a supplier in another register. Some rows leave out the code or the supplier's
    /// number; the name alone still identifies.
    pub(crate) fn trio(&mut self, supplier: usize) -> Vec<(&'static str, Cell)> {
        let s = &self.suppliers[supplier];
        let (id, name, uscc) = (s.id.clone(), s.name.clone(), s.uscc.clone());
        let holes = self.rng.random_range(0..12);
        vec![
            ("supplier_id", if holes == 0 { Cell::Null } else { text(id) }),
            ("supplier_name", Cell::Company(name)),
            (
                "supplier_uscc",
                if holes <= 1 { Cell::Null } else { Cell::Code(uscc) },
            ),
        ]
    }

    /// A product that `supplier` sells at `price` (ten-thousandths), listed on the platform since 2022-07
    /// when it has a national code.
    pub(crate) fn product(&mut self, supplier: usize, class: Class, price: i64, pack: i64) -> usize {
        self.product_numbers += 1;
        let code = names::national_code(class, self.product_numbers);
        let index = self.unlisted_product(supplier, class, price, pack, code);
        if self.products[index].national_code.is_some() {
            self.list(supplier, index, price, date(2022, 7, 1), None);
        }
        index
    }

    /// A product with a given national code, which is in no price list yet.
    pub(crate) fn unlisted_product(
        &mut self,
        supplier: usize,
        class: Class,
        price: i64,
        pack: i64,
        national_code: Option<String>,
    ) -> usize {
        let index = self.products.len();
        let (name, generic, spec, unit) = names::product(class, self.product_numbers);
        let id = format!("P{:06}", index + 1);
        let maker = format!("示例{}制药厂", self.product_numbers % 50 + 1);
        self.put(
            "products",
            vec![
                ("product_id", text(&id)),
                ("name", text(&name)),
                ("generic_name", text(generic)),
                ("spec", text(spec)),
                ("category", text(class.label())),
                (
                    "national_code",
                    national_code.clone().map_or(Cell::Null, Cell::Text),
                ),
                ("manufacturer", text(maker)),
                ("unit", text(unit)),
                ("pack_size", Cell::Decimal(pack * 10_000)),
            ],
        );
        self.products.push(Product {
            id,
            name,
            national_code,
            price,
        });
        self.suppliers[supplier].products.push(index);
        index
    }

    /// Gives a product another generic name.
    pub(crate) fn rename_generic(&mut self, product: usize, generic: &str) {
        let place = self
            .registers
            .get_mut("products")
            .and_then(|r| r.rows.get_mut(product));
        if let Some(slot) = place.and_then(|row| row.get_mut(2)) {
            *slot = text(generic);
        }
    }

    /// An entry in the platform's price list.
    pub(crate) fn list(
        &mut self,
        supplier: usize,
        product: usize,
        price: i64,
        from: NaiveDate,
        to: Option<NaiveDate>,
    ) -> String {
        let id = format!("GW{:06}", self.next());
        let p = &self.products[product];
        let mut row = vec![
            ("listing_id", text(&id)),
            ("product_id", text(&p.id)),
            (
                "national_code",
                p.national_code.clone().map_or(Cell::Null, Cell::Text),
            ),
            ("listed_price", Cell::Decimal(price)),
            ("region_code", text(PROVINCE)),
            ("listed_from", Cell::Date(from)),
            ("listed_to", to.map_or(Cell::Null, Cell::Date)),
            ("status", text(if to.is_some() { "已撤网" } else { "在网" })),
        ];
        row.extend(self.trio(supplier));
        self.put("platform_listings", row);
        id
    }

    // === agreements ===

    /// One agreement or commitment; the dates are as they stand on the paper.
    pub(crate) fn agreement(
        &mut self,
        hospital: usize,
        supplier: usize,
        kind: &'static str,
        signed: NaiveDate,
        valid: (NaiveDate, Option<NaiveDate>),
        retroactive: bool,
    ) -> RowKey {
        let id = format!("XY{:07}", self.next());
        let signatory = names::person(&mut self.rng);
        let mut row = vec![
            ("agreement_id", text(&id)),
            ("hospital_id", text(&self.hospitals[hospital].id)),
            ("kind", text(kind)),
            ("signed_on", Cell::Date(signed)),
            ("valid_from", Cell::Date(valid.0)),
            ("valid_to", valid.1.map_or(Cell::Null, Cell::Date)),
            ("signatory", text(signatory)),
            ("is_retroactive", Cell::Bool(retroactive)),
        ];
        row.extend(self.trio(supplier));
        self.put("agreements", row);
        RowKey::new("agreements", "agreement_id", &id)
    }

    /// Both papers, signed before the first purchase and in force over the whole period.
    pub(crate) fn agree(&mut self, hospital: usize, supplier: usize) -> [RowKey; 2] {
        let signed = date(2022, 12, 12);
        let from = date(2023, 1, 1);
        [
            self.agreement(hospital, supplier, AGREEMENT, signed, (from, None), false),
            self.agreement(hospital, supplier, COMMITMENT, signed, (from, None), false),
        ]
    }

    // === orders ===

    /// A new order number for a day.
    pub(crate) fn order_number(&mut self, on: u32) -> String {
        format!("CG{}{:08}", day(on).format("%Y"), 90_000_000 + self.next())
    }

    /// A new number of a platform order for a day.
    pub(crate) fn platform_number(&mut self, on: u32) -> String {
        format!("PT{}{:09}", day(on).format("%Y"), 900_000_000 + self.next())
    }

    /// A lawful line through the platform at the listed price, with the platform's own record of it.
    pub(crate) fn buy(
        &mut self,
        hospital: usize,
        supplier: usize,
        product: usize,
        on: u32,
        quantity: i64,
    ) -> Line {
        let price = self.products[product].price;
        let mut line = self.line(hospital, supplier, product, on, quantity, price);
        line.platform_order_id = self.platform_order(&line, on, quantity);
        line
    }

    /// A line through the platform without any record there.
    pub(crate) fn line(
        &mut self,
        hospital: usize,
        supplier: usize,
        product: usize,
        on: u32,
        quantity: i64,
        price: i64,
    ) -> Line {
        Line {
            order_id: self.order_number(on),
            line_no: 1,
            day: on,
            hospital,
            supplier,
            product,
            quantity,
            price,
            channel: Channel::Platform,
            platform_order_id: String::new(),
            filing_no: String::new(),
        }
    }

    /// The platform's record of (a part of) a line; returns its number.
    pub(crate) fn platform_order(&mut self, line: &Line, on: u32, quantity: i64) -> String {
        let id = self.platform_number(on);
        self.platform_orders.push(PlatformOrder {
            id: id.clone(),
            day: on,
            hospital: line.hospital,
            supplier: line.supplier,
            product: line.product,
            quantity,
            price: line.price,
            status: "已收货",
        });
        id
    }

    /// Enters a line among the orders.
    pub(crate) fn enter(&mut self, line: Line) -> RowKey {
        let key = line.key();
        self.lines.push(line);
        key
    }

    /// A supplier that sells one drug to a hospital lawfully, with both papers: the ground on which a
    /// single thing can then go wrong.
    pub(crate) fn partner(&mut self, hospital: usize) -> (usize, usize) {
        let supplier = self.supplier();
        let product = self.product(supplier, Class::Drug, 125_000, 1);
        self.agree(hospital, supplier);
        (supplier, product)
    }

    // === truth ===

    pub(crate) fn plant(&mut self, rule: &str, variant: &str, rows: Vec<RowKey>, note: &str) {
        self.truth.planted.push(Planted {
            rule: rule.to_owned(),
            variant: variant.to_owned(),
            rows,
            note: note.to_owned(),
        });
    }

    pub(crate) fn decoy(&mut self, near: &str, variant: &str, rows: Vec<RowKey>, note: &str) {
        self.truth.decoys.push(Decoy {
            near: near.to_owned(),
            variant: variant.to_owned(),
            rows,
            note: note.to_owned(),
        });
    }

    pub(crate) fn allow(&mut self, rule: &str, rows: Vec<RowKey>, note: &str) {
        self.truth.allowed.push(Allowed {
            rule: rule.to_owned(),
            rows,
            note: note.to_owned(),
        });
    }
}

/// The two papers that every supplier signs with every hospital.
pub(crate) const AGREEMENT: &str = "廉洁购销协议";
pub(crate) const COMMITMENT: &str = "廉洁承诺书";

/// Wall-clock time of an event in a day.
pub(crate) fn moment(day: NaiveDate, hour: u32, minute: u32) -> Cell {
    let time: NaiveDateTime = crate::calendar::at(day, hour, minute);
    Cell::Time(time)
}
