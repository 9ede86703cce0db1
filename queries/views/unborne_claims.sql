/*---
name: unborne_claims
title: {zh: 平台订单不足以证明的采购, en: "Purchases that the platform orders they name do not bear out, lawful channels left out"}
---*/
with

-- nearly all lines and orders agree one by one; only the others are looked at
lines as (
    select * from unsettled_purchases
),

platform as (
    select * from unsettled_platform
),

-- from here on few rows, and each step is read once: a return is no purchase
lines_bought as (
    select
        l.*,
        p.category,
        concat_ws(' ', l.product_name, p.name, p.generic_name) as names
    from lines as l
    left join products as p on l.product_id = p.product_id
    where coalesce(l.quantity, 1) > 0
),

-- an emergency that was approved
without_emergency as (
    select * from lines_bought
    where coalesce(channel, '') <> 'emergency' or approved_by is null
),

filing_register as (
    select count(*) as filings_known from filings
),

with_filing as (
    select
        l.*,
        r.filings_known,
        f.filing_no as known_filing_no,
        f.hospital_id as filed_hospital_id,
        f.national_code as filed_national_code,
        f.product_id as filed_product_id,
        f.valid_from as filed_from,
        f.valid_to as filed_to
    from without_emergency as l
    cross join filing_register as r
    left join filings as f on l.filing_no = f.filing_no
),

-- filed: by the register where there is one, else by the number alone
without_filed as (
    select * from with_filing
    where
        filing_no is null
        or (
            filings_known > 0
            and (
                known_filing_no is null
                or filed_hospital_id <> hospital_id
                or (filed_national_code <> national_code and (filed_product_id is null or filed_product_id <> product_id))
                or filed_from > ordered_on
                or filed_to <= ordered_on
            )
        )
),

-- national codes of drugs (X, Z, 86) and consumables (C), and names of what the platform does not trade. In a table of
-- one row, so that the planner does not search the texts of all lines before the steps above have left few
platform_trade as (
    select * from (values
        ('^([XZC][0-9A-Z]{7,}|86[0-9]{12})$', '饮片|院内制剂|医院制剂|自制制剂|协定处方')
    ) as t (code_pattern, exempt_names)
),

in_scope as (
    select
        l.*,
        l.order_id || '#' || cast(l.line_no as varchar) as line_id,
        -- a consumable's first twenty places are its maker's product, the rest its size
        case when left(l.national_code, 1) = 'C' then left(l.national_code, 20) else l.national_code end as code
    from without_filed as l
    cross join platform_trade as t
    where
        regexp_like(upper(l.national_code), t.code_pattern)
        and not regexp_like(l.names, t.exempt_names)
        and (l.category is null or l.category in ('drug', 'consumable', 'reagent'))
),

-- a line that names no platform order stands for itself
uncited as (
    select
        line_id as claim_id,
        hospital_id,
        code,
        coalesce(supplier_party_id, line_id) as supplier,
        ordered_on as on_day,
        coalesce(quantity, 0) as bought,
        0 as linked,
        line_amount as amount,
        1 as fault,
        make_array(
            named_struct(
                'ordered_on', ordered_on, 'order_id', order_id, 'line_no', line_no,
                'supplier_key', supplier_key, 'supplier_name', supplier_name,
                'product_name', product_name, 'national_code', national_code
            )
        ) as claim_lines,
        make_array(platform_order_id) as claim_order_ids,
        null as linked_ids
    from in_scope
    where platform_order_id is null
),

-- a cell may name several platform orders
citations as (
    select
        *,
        unnest(string_to_array(regexp_replace(trim(platform_order_id), '[,，、;；/ ]+', ',', 'g'), ',')) as cited_id
    from in_scope
    where platform_order_id is not null
),

branch_pairs as (
    select distinct party_id, other_party_id from branch_links
),

-- a second look at the order that is named: a code of the same maker's product, a branch of the supplier, or a
-- supplier told by its name only, count as the same
citations_checked as (
    select
        c.*,
        p.platform_order_id as found_id,
        p.quantity as found_quantity,
        p.hospital_id is not null and p.hospital_id <> c.hospital_id as other_hospital,
        p.is_cancelled,
        case
            when p.platform_order_id is null then null
            when p.is_cancelled then null
            when p.hospital_id <> c.hospital_id then null
            when
                c.code
                <> case when left(p.national_code, 1) = 'C' then left(p.national_code, 20) else p.national_code end
                then null
            when
                p.supplier_party_id <> c.supplier_party_id
                and b.party_id is null
                and left(p.supplier_key, 5) <> 'name:'
                and left(c.supplier_key, 5) <> 'name:'
                then null
            else p.platform_order_id
        end as linked_id
    from citations as c
    left join platform as p on c.cited_id = p.platform_order_id
    left join branch_pairs as b
        on p.supplier_party_id = b.party_id and c.supplier_party_id = b.other_party_id
),

-- lines and orders that hang together: one order with many lines, one line with many orders, twice over
knots_by_order as (
    select *, min(line_id) over (partition by coalesce(linked_id, line_id)) as knot_1 from citations_checked
),

knots_by_line as (
    select *, min(knot_1) over (partition by line_id) as knot_2 from knots_by_order
),

knots_by_order_again as (
    select *, min(knot_2) over (partition by coalesce(linked_id, line_id)) as knot_3 from knots_by_line
),

knots as (
    select
        *,
        min(knot_3) over (partition by line_id) as knot,
        row_number() over (partition by line_id order by cited_id) as line_row,
        row_number() over (partition by linked_id order by line_id) as order_row
    from knots_by_order_again
),

-- what the lines of a knot bought, and what the orders they name bear out
knot_sums as (
    select
        *,
        sum(case when line_row = 1 then coalesce(quantity, 0) end) over whole_knot as knot_bought,
        coalesce(sum(case when linked_id is not null and order_row = 1 then found_quantity end) over whole_knot, 0)
            as knot_linked,
        count(linked_id) over whole_knot as knot_links
    from knots
    window whole_knot as (partition by knot)
),

-- most knots end here, before their lines are gathered
open_knots as (
    select * from knot_sums
    where knot_links = 0 or knot_bought > knot_linked
),

-- a claim: lines bound together by the orders they name, and what they still need on the platform
cited as (
    select
        knot as claim_id,
        min(hospital_id) as hospital_id,
        min(code) as code,
        coalesce(min(supplier_party_id), knot) as supplier,
        max(ordered_on) as on_day,
        max(knot_bought) as bought,
        max(knot_linked) as linked,
        sum(case when line_row = 1 then line_amount end) as amount,
        min(
            case
                when found_id is null then 2
                when other_hospital then 3
                when is_cancelled then 4
                when linked_id is null then 5
                else 6
            end
        ) as fault,
        array_agg(
            named_struct(
                'ordered_on', ordered_on, 'order_id', order_id, 'line_no', line_no,
                'supplier_key', supplier_key, 'supplier_name', supplier_name,
                'product_name', product_name, 'national_code', national_code
            ) order by line_id, cited_id
        ) filter (where line_row = 1) as claim_lines,
        array_agg(found_id order by line_id, cited_id) as claim_order_ids,
        array_agg(linked_id order by line_id, cited_id) filter (where linked_id is not null) as linked_ids
    from open_knots
    group by knot
),

final as (
    select * from cited
    union all
    select * from uncited
)

select * from final
