//! The two long files, purchase orders and platform orders, written side by side in bounded memory: text
//! that repeats is encoded once, numbers are written straight into the buffer.

mod encoded;
mod parts;

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::calendar::SPAN_DAYS;
use crate::error::Error;
use crate::ink::{DATE_STYLES, full_width, write_decimal};
use crate::names::DEPARTMENTS;
use crate::province::{Channel, Province};
use crate::schema::{PLATFORM_HEADERS, PURCHASE_HEADERS};
use crate::stream::encoded::{Ink, gb};
use crate::stream::parts::Parts;

/// What both streams wrote.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Streamed {
    pub(crate) lines: u64,
    pub(crate) platform_orders: u64,
    pub(crate) bytes: u64,
}

/// Rows are handed to the files in chunks of about this many.
const CHUNK_ROWS: u64 = 4096;

/// Where the province's everyday trade takes place: index ranges into its registers.
pub(crate) struct Everyday {
    pub(crate) hospitals: usize,
    /// Ordinary suppliers; each hospital buys from `window` of them.
    pub(crate) suppliers: usize,
    pub(crate) window: usize,
    /// Suppliers whose platform orders the hospitals do not number: (first, count).
    pub(crate) unnumbered: (usize, usize),
    /// Suppliers of office goods, which no platform lists: (first, count).
    pub(crate) goods: (usize, usize),
}

/// The ordinary supplier number `pick` of a hospital.
pub(crate) fn window_supplier(hospital: usize, pick: usize, everyday: &Everyday) -> usize {
    (hospital * 37 + pick) % everyday.suppliers
}

struct Streams<'a> {
    province: &'a Province,
    ink: Ink,
    rng: ChaCha8Rng,
    purchases: Parts,
    platform: Parts,
    purchase_buffer: Vec<u8>,
    purchase_rows: u64,
    platform_buffer: Vec<u8>,
    platform_rows: u64,
    streamed: Streamed,
}

/// One purchase line about to be written.
#[derive(Clone, Copy)]
struct Row<'a> {
    order_id: &'a [u8],
    line_no: u32,
    day: u32,
    hospital: usize,
    department: usize,
    supplier: usize,
    product: usize,
    quantity: i64,
    price: i64,
    channel: Channel,
    platform_order_id: &'a [u8],
    filing_no: &'a [u8],
}

/// Yuan cents of a quantity at a price in ten-thousandths, half a cent rounded up.
fn amount(quantity: i64, price: i64) -> i64 {
    (quantity * price + 50) / 100
}

fn write_number(out: &mut Vec<u8>, mut n: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while n > 0 || digits.len() - at < width.max(1) {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

impl Streams<'_> {
    fn purchase(&mut self, row: &Row<'_>) {
        let r = self.rng.next_u64();
        let out = &mut self.purchase_buffer;
        let ink = &self.ink;
        out.extend_from_slice(row.order_id);
        out.push(b',');
        write_number(out, u64::from(row.line_no), 1);
        out.push(b',');
        out.extend_from_slice(&ink.hospitals[row.hospital]);
        out.push(b',');
        out.extend_from_slice(&ink.departments[row.department]);
        out.push(b',');
        let product = &ink.products[row.product];
        out.extend_from_slice(&product.id);
        out.push(b',');
        out.extend_from_slice(&product.name);
        out.push(b',');
        out.extend_from_slice(&product.code);
        out.push(b',');
        let supplier = &ink.suppliers[row.supplier];
        let holes = r & 31;
        if holes != 0 {
            out.extend_from_slice(&supplier.id);
        }
        out.push(b',');
        let spelling = if (r >> 5) & 15 == 0 {
            ((r >> 9) & 7) as usize % supplier.spellings_gb.len()
        } else {
            0
        };
        out.extend_from_slice(&supplier.spellings_gb[spelling]);
        out.push(b',');
        if holes > 2 {
            let lower = (r >> 12) & 63 == 0;
            out.extend_from_slice(if lower {
                &supplier.uscc_lower
            } else {
                &supplier.uscc
            });
        }
        out.push(b',');
        match (r >> 18) & 127 {
            0 => out.extend_from_slice(&gb(&full_width(&row.quantity.to_string()))),
            1..=8 if row.quantity >= 1000 => {
                out.push(b'"');
                write_decimal(out, row.quantity, 0, 0, true);
                out.push(b'"');
            }
            _ => write_number(out, row.quantity.unsigned_abs(), 1),
        }
        out.push(b',');
        write_decimal(out, row.price, 4, 2, false);
        out.push(b',');
        let cents = amount(row.quantity, row.price);
        match (r >> 25) & 15 {
            0..=3 if cents >= 100_000 => {
                out.push(b'"');
                write_decimal(out, cents, 2, 2, true);
                out.push(b'"');
            }
            4 => {
                out.push(b'"');
                write_decimal(out, cents, 2, 2, true);
                out.extend_from_slice(&ink.yuan);
                out.push(b'"');
            }
            _ => write_decimal(out, cents, 2, 2, false),
        }
        out.push(b',');
        let style = ((r >> 29) & 15) as usize;
        let dates = &ink.dates[row.day as usize];
        if style < 8 {
            out.extend_from_slice(&dates[0]);
            out.push(b' ');
            write_clock(out, r >> 33);
        } else {
            out.extend_from_slice(&dates[style % DATE_STYLES]);
        }
        out.push(b',');
        out.extend_from_slice(&ink.channels[row.channel as usize]);
        out.push(b',');
        out.extend_from_slice(row.platform_order_id);
        out.push(b',');
        out.extend_from_slice(row.filing_no);
        out.push(b',');
        let staff = &ink.staff[row.hospital];
        let half = (staff.len() / 2).max(1);
        if let Some(id) = staff.get((r >> 44) as usize % half) {
            out.extend_from_slice(id);
        }
        out.push(b',');
        // Approved by somebody of the other half of the staff.
        if let Some(id) = staff.get(half + (r >> 54) as usize % (staff.len() - half).max(1)) {
            out.extend_from_slice(id);
        }
        out.extend_from_slice(b"\r\n");
        self.purchase_rows += 1;
        self.streamed.lines += 1;
    }

    #[allow(clippy::too_many_arguments, reason = "one row of a file, column by column")]
    fn platform_order(
        &mut self,
        id: &[u8],
        on: u32,
        hospital: usize,
        supplier: usize,
        product: usize,
        quantity: i64,
        price: i64,
        status: &str,
    ) {
        let r = self.rng.next_u64();
        let out = &mut self.platform_buffer;
        let ink = &self.ink;
        out.extend_from_slice(id);
        out.push(b',');
        out.extend_from_slice(&ink.hospitals[hospital]);
        out.push(b',');
        out.extend_from_slice(&ink.products[product].code);
        out.push(b',');
        let supplier = &ink.suppliers[supplier];
        let holes = r & 31;
        if holes != 0 {
            out.extend_from_slice(&supplier.id);
        }
        out.push(b',');
        let spelling = if (r >> 5) & 15 == 0 {
            ((r >> 9) & 7) as usize % supplier.spellings_utf8.len()
        } else {
            0
        };
        out.extend_from_slice(&supplier.spellings_utf8[spelling]);
        out.push(b',');
        if holes > 1 {
            out.extend_from_slice(&supplier.uscc);
        }
        out.push(b',');
        write_number(out, quantity.unsigned_abs(), 1);
        out.push(b',');
        write_decimal(out, price, 4, 2, false);
        out.push(b',');
        write_decimal(out, amount(quantity, price), 2, 2, false);
        out.push(b',');
        let dates = &ink.dates[on as usize];
        out.extend_from_slice(&dates[usize::from((r >> 12) & 7 == 0)]);
        out.push(b' ');
        write_clock(out, r >> 15);
        out.push(b',');
        out.extend_from_slice(status.as_bytes());
        out.extend_from_slice(b"\r\n");
        self.platform_rows += 1;
        self.streamed.platform_orders += 1;
    }

    fn flush(&mut self, all: bool) -> Result<(), Error> {
        if self.purchase_rows >= CHUNK_ROWS || (all && self.purchase_rows > 0) {
            self.purchases
                .append(&mut self.purchase_buffer, self.purchase_rows)?;
            self.purchase_rows = 0;
        }
        if self.platform_rows >= CHUNK_ROWS || (all && self.platform_rows > 0) {
            self.platform
                .append(&mut self.platform_buffer, self.platform_rows)?;
            self.platform_rows = 0;
        }
        if all {
            self.purchases.finish()?;
            self.platform.finish()?;
        }
        Ok(())
    }
}

/// A time between 08:00 and 17:59.
fn write_clock(out: &mut Vec<u8>, r: u64) {
    write_number(out, 8 + (r & 7), 2);
    out.push(b':');
    write_number(out, (r >> 3) & 31, 2);
    out.push(b':');
    write_number(out, (r >> 8) & 31, 2);
}

const QUANTITIES: [i64; 16] = [1, 2, 3, 5, 10, 10, 20, 20, 30, 50, 50, 100, 100, 200, 500, 1200];
const STATUSES: [&str; 4] = ["已收货", "已完成", "已配送", "已入库"];

/// Writes both files: `total` purchase lines, the planted ones at their dates among them.
pub(crate) fn write(
    dir: &Path,
    province: &Province,
    everyday: &Everyday,
    total: u64,
    rows_per_file: u64,
) -> Result<Streamed, Error> {
    let planted = province.lines.len() as u64;
    if total < planted {
        return Err(Error::TooFewLines {
            orders: total,
            planted,
        });
    }
    let target = total - planted;
    let mut lines: Vec<&crate::province::Line> = province.lines.iter().collect();
    lines.sort_by(|a, b| (a.day, &a.order_id, a.line_no).cmp(&(b.day, &b.order_id, b.line_no)));
    let mut platform: Vec<&crate::province::PlatformOrder> = province.platform_orders.iter().collect();
    platform.sort_by(|a, b| (a.day, &a.id).cmp(&(b.day, &b.id)));
    let mut platform_head = "\u{feff}".as_bytes().to_vec();
    platform_head.extend_from_slice(PLATFORM_HEADERS.as_bytes());
    let mut streams = Streams {
        province,
        ink: Ink::new(province),
        rng: ChaCha8Rng::seed_from_u64(province.seed ^ 0x5EED_0F0B_D0DE_5A5A),
        purchases: Parts::new(dir, "purchase_orders", gb(PURCHASE_HEADERS), rows_per_file),
        platform: Parts::new(dir, "platform_orders", platform_head, rows_per_file),
        purchase_buffer: Vec::with_capacity(1 << 21),
        purchase_rows: 0,
        platform_buffer: Vec::with_capacity(1 << 21),
        platform_rows: 0,
        streamed: Streamed::default(),
    };
    let (mut next_line, mut next_platform) = (0, 0);
    let mut order = 0_u64;
    let mut written = 0_u64;
    let mut numbers = Numbers {
        platform: 0,
        order: Vec::new(),
        id: Vec::new(),
    };
    loop {
        let on = if written < target {
            (written * u64::from(SPAN_DAYS) / target) as u32
        } else {
            SPAN_DAYS - 1
        };
        while let Some(line) = lines.get(next_line).filter(|l| l.day <= on) {
            streams.purchase(&Row {
                order_id: line.order_id.as_bytes(),
                line_no: line.line_no,
                day: line.day,
                hospital: line.hospital,
                department: line.line_no as usize % DEPARTMENTS.len(),
                supplier: line.supplier,
                product: line.product,
                quantity: line.quantity,
                price: line.price,
                channel: line.channel,
                platform_order_id: line.platform_order_id.as_bytes(),
                filing_no: &gb(&line.filing_no),
            });
            next_line += 1;
        }
        while let Some(p) = platform.get(next_platform).filter(|p| p.day <= on) {
            streams.platform_order(
                p.id.as_bytes(),
                p.day,
                p.hospital,
                p.supplier,
                p.product,
                p.quantity,
                p.price,
                p.status,
            );
            next_platform += 1;
        }
        if written >= target {
            break;
        }
        written += streams.order(everyday, order, on, target - written, &mut numbers);
        order += 1;
        streams.flush(false)?;
    }
    streams.flush(true)?;
    streams.streamed.bytes = streams.purchases.bytes + streams.platform.bytes;
    Ok(streams.streamed)
}

/// Buffers for the numbers of an order and of its platform orders.
struct Numbers {
    platform: u64,
    order: Vec<u8>,
    id: Vec<u8>,
}

impl Numbers {
    /// Writes a new platform order number.
    fn platform_id(&mut self, year: [u8; 4]) {
        let out = &mut self.id;
        out.clear();
        out.extend_from_slice(b"PT");
        out.extend_from_slice(&year);
        write_number(out, self.platform, 9);
        self.platform += 1;
    }
}

impl Streams<'_> {
    /// One lawful order; returns how many lines it has.
    fn order(&mut self, everyday: &Everyday, number: u64, on: u32, left: u64, ids: &mut Numbers) -> u64 {
        let province = self.province;
        let r = self.rng.next_u64();
        let year: [u8; 4] = self.ink.dates[on as usize][0][..4].try_into().unwrap_or(*b"2024");
        let mut order_id = std::mem::take(&mut ids.order);
        order_id.clear();
        order_id.extend_from_slice(b"CG");
        order_id.extend_from_slice(&year);
        write_number(&mut order_id, number, 8);
        let hospital = (r & 0xFFFF) as usize % everyday.hospitals;
        let department = ((r >> 16) & 0xFF) as usize % DEPARTMENTS.len();
        let quantity = QUANTITIES[((r >> 24) & 15) as usize];
        let mut row = Row {
            order_id: &order_id,
            line_no: 1,
            day: on,
            hospital,
            department,
            supplier: 0,
            product: 0,
            quantity,
            price: 0,
            channel: Channel::Platform,
            platform_order_id: b"",
            filing_no: b"",
        };
        let status = STATUSES[((r >> 28) & 3) as usize];
        let lines = match number % 64 {
            // The hospital's system kept no platform number. The triple of hospital, supplier and product
            // comes round again only after all others, months later, so that sums stay unmistakable.
            17 => {
                let round = number / 64;
                row.hospital = (round % everyday.hospitals as u64) as usize;
                let pick = (round / everyday.hospitals as u64) as usize;
                row.supplier = everyday.unnumbered.0 + pick % everyday.unnumbered.1;
                let products = &province.suppliers[row.supplier].products;
                row.product = products[pick / everyday.unnumbered.1 % products.len()];
                row.price = province.products[row.product].price;
                row.quantity = quantity + 2;
                self.purchase(&row);
                let parts = 1 + (r >> 30) % 3;
                let mut rest = row.quantity;
                for part in 0..parts {
                    let share = if part + 1 == parts { rest } else { row.quantity / 3 };
                    let share = share.max(1).min(rest);
                    rest -= share;
                    if share == 0 {
                        break;
                    }
                    ids.platform_id(year);
                    let delivered = (on + part as u32 * 2).min(SPAN_DAYS - 1);
                    let id = std::mem::take(&mut ids.id);
                    self.platform_order(
                        &id,
                        delivered,
                        row.hospital,
                        row.supplier,
                        row.product,
                        share,
                        row.price,
                        status,
                    );
                    ids.id = id;
                }
                1
            }
            // Office goods are bought from whom one likes; no platform lists them.
            40 => {
                row.supplier = everyday.goods.0 + ((r >> 32) & 0xFF) as usize % everyday.goods.1;
                let products = &province.suppliers[row.supplier].products;
                row.product = products[((r >> 40) & 0xFF) as usize % products.len()];
                row.price = province.products[row.product].price;
                row.channel = Channel::Offline;
                self.purchase(&row);
                1
            }
            _ => {
                let pick = ((r >> 32) & 0xFF) as usize % everyday.window;
                row.supplier = window_supplier(hospital, pick, everyday);
                let products = &province.suppliers[row.supplier].products;
                let first = ((r >> 40) & 0xFF) as usize;
                let count = (1 + ((r >> 48) & 3)).min(left);
                // Two lines of one product may have gone through as one platform order.
                let joined = count >= 2 && (r >> 50) & 15 == 0;
                let delay = if (r >> 54) & 7 == 0 { 1 } else { 0 };
                let placed = (on + delay).min(SPAN_DAYS - 1);
                for n in 0..count {
                    let step = if joined { n.saturating_sub(1) } else { n };
                    row.line_no = n as u32 + 1;
                    row.product = products[(first + step as usize) % products.len()];
                    row.quantity = QUANTITIES[((r >> 24) + n) as usize & 15];
                    let listed = province.products[row.product].price;
                    // Some hospitals bargain 3 % off; nobody pays more than listed.
                    row.price = if (r >> 57) & 7 == 0 {
                        listed * 97 / 100
                    } else {
                        listed
                    };
                    let second_of_pair = joined && n == 1;
                    if !second_of_pair {
                        ids.platform_id(year);
                    }
                    let id = std::mem::take(&mut ids.id);
                    self.purchase(&Row {
                        platform_order_id: &id,
                        ..row
                    });
                    let ordered = if joined && n == 0 {
                        None
                    } else if second_of_pair {
                        Some(row.quantity + QUANTITIES[(r >> 24) as usize & 15])
                    } else {
                        Some(row.quantity)
                    };
                    if let Some(sum) = ordered {
                        self.platform_order(
                            &id,
                            placed,
                            hospital,
                            row.supplier,
                            row.product,
                            sum,
                            row.price,
                            status,
                        );
                    }
                    ids.id = id;
                }
                count
            }
        };
        ids.order = order_id;
        lines
    }
}
