/*---
name: priced_above_listing
title: {zh: 单价高于挂网价的采购明细, en: Purchase lines dearer than every listed price that applied}
---*/
-- A line is judged by the listings of its supplier, or by all of the product's where its supplier has none, in the
-- hospital's province (all provinces where the hospital's is not known), valid on the day; the highest decides.
-- Prices are compared by smallest unit when both products tell their pack size.
with

listings as (
    select * from listing_prices
),

supplier_bounds as (
    select * from listing_bounds
    where supplier_party_id is not null
),

code_bounds as (
    select * from listing_bounds
    where supplier_party_id is null
),

-- below this no line of the code is too dear, whoever sold it and whenever
code_floors as (
    select national_code, min(price_bound) as price_floor
    from listing_bounds
    group by national_code
),

-- the one pass over all lines
lines_above_floor as (
    select p.order_id, p.line_no
    from purchases as p
    inner join code_floors as f on p.national_code = f.national_code
    where p.unit_price > f.price_floor
),

-- few are left, and read whole (the engine looks for the rows of the right side in the left)
suspect_lines as (
    select p.* from lines_above_floor as l
    inner join purchases as p on l.order_id = p.order_id and l.line_no = p.line_no
),

-- spans of one key do not overlap, so that a line is there once
doubtful_lines as (
    select
        p.order_id,
        p.line_no,
        p.hospital_id,
        p.national_code,
        p.product_id,
        p.product_name,
        p.supplier_party_id,
        p.supplier_key,
        p.supplier_name,
        p.channel,
        p.quantity,
        p.unit_price,
        p.ordered_at
    from suspect_lines as p
    inner join code_bounds as c
        on
            p.national_code = c.national_code
            and p.ordered_at >= c.day_from
            and p.ordered_at < c.day_to
    left join supplier_bounds as s
        on
            p.national_code = s.national_code
            and p.supplier_party_id = s.supplier_party_id
            and p.ordered_at >= s.day_from
            and p.ordered_at < s.day_to
    -- a supplier listed in another province only is judged by the others of this one: the lower bound decides
    where p.unit_price > least(s.price_bound, c.price_bound)
),

compared as (
    select
        d.*,
        l.listing_id,
        l.listed_price,
        -- the listed price in the unit of the line
        case
            when own.pack_size > 0 and l.pack_size <> own.pack_size
                then cast(l.listed_price * own.pack_size / l.pack_size as decimal(18, 4))
            else l.listed_price
        end as allowed_price,
        d.supplier_party_id = l.supplier_party_id as is_own_listing
    from doubtful_lines as d
    left join hospitals as h on d.hospital_id = h.hospital_id
    left join products as own on d.product_id = own.product_id
    inner join listings as l on d.national_code = l.national_code
    where
        d.ordered_at >= l.listed_from
        and d.ordered_at < l.listed_to
        and (l.province is null or h.region_code is null or l.province = left(h.region_code, 2))
),

ranked as (
    select
        *,
        row_number() over (
            partition by order_id, line_no
            order by case when is_own_listing then 0 else 1 end, allowed_price desc, listing_id
        ) as choice
    from compared
),

final as (
    select
        order_id,
        line_no,
        hospital_id,
        supplier_key,
        supplier_name,
        national_code,
        product_name,
        channel,
        quantity,
        unit_price,
        local_date(ordered_at) as ordered_on,
        listing_id,
        allowed_price,
        named_struct('order_id', order_id, 'line_no', line_no) as purchase_line
    from ranked
    where choice = 1 and unit_price > allowed_price
)

select * from final
