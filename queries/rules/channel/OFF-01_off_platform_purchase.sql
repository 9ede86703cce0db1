/*---
id: OFF-01
version: 1
title: {zh: 违规线下采购, en: Bought off the platform}
target: OFF
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 国务院办公厅关于完善公立医院药品集中采购工作的指导意见（国办发〔2015〕7号）, article: 通过省级平台采购, effective_from: 2015-02-09}
  - {law: 治理高值医用耗材改革方案（国办发〔2019〕37号）, article: 平台公开交易, effective_from: 2019-07-19}
why:
  zh: 药品、耗材、试剂应当在省级平台采购；没有平台订单、订单号不存在、订单属于其他医院或数量超过平台订单，都说明采购绕开了平台。
  en: Drugs, consumables and reagents are bought on the provincial platform; no platform order, a number that does not exist, an order of another hospital or more than was ordered there all mean the platform was avoided.
lawful_explanations:
  - zh: 急抢救、短缺药品自主备案采购
    en: Emergency or shortage purchases that were filed
  - zh: 院内制剂调剂、临床急需进口、麻精一类固定渠道
    en: Approved transfer of preparations, urgent imports, fixed channels of narcotics
  - zh: 平台订单在其后补录，尚未同步
    en: The platform order was entered later and is not synced yet
known_gaps:
  - zh: 没有医保编码的明细（中药饮片、院内制剂等）不判断
    en: Lines without a national code, such as herbal slices and own preparations, are not judged
  - zh: 未同步备案台账时，填有备案号即视为已备案
    en: While filings are not synced, a filing number counts as filed
  - zh: 单位不同（盒、支、片）的数量按同一单位比较
    en: Quantities are compared as they stand, whatever their unit (box, vial, tablet)
  - zh: 没有日期的明细不判断
    en: Lines without a date are not judged
  - zh: 某医院的平台订单整体未同步时，其全部明细都会列出；先确认数据接入
    en: Where the platform orders of one hospital are not synced at all, all its lines are told; check the connection first
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [hospital_id, national_code, ordered_at]}
  - {dataset: platform_orders, max_staleness: 45d, required: [platform_order_id, hospital_id, national_code]}
  - {dataset: filings, optional: true}
  - {dataset: products, optional: true}
  - {dataset: relations, optional: true}
params: {window_days: 15}
identity: [hospital_id, order_id, line_no]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name, national_code: national_code}
evidence:
  - {dataset: purchase_orders, key: [order_id, line_no], column: purchase_lines}
  - {dataset: platform_orders, key: [platform_order_id], column: platform_order_ids}
amount_at_risk: amount
message:
  zh: "{ordered_on} 向 {supplier_name} 采购 {product_name} {bought}，平台上只有 {on_platform}：{reason_zh}。请先核对备案、急抢救审批和补录的平台订单。"
  en: "{bought} of {product_name} bought from {supplier_name} on {ordered_on}, {on_platform} on the platform: {reason_en}. Check first filings, emergency approval and platform orders entered later."
---*/
with

lines as (
    select * from purchases
    where national_code is not null
),

platform as (
    select
        platform_order_id,
        hospital_id,
        national_code,
        supplier_party_id,
        supplier_key,
        quantity,
        local_date(ordered_at) as on_day,
        coalesce(status, '') = 'cancelled' as is_cancelled
    from platform_orders
    where ordered_at is null or ordered_at < cast($as_of + 1 as timestamp) - interval '8 hours'
),

-- numbers that stand on several lines, with what these lines bought together
cited_by_many as (
    select platform_order_id, sum(quantity) as quantity
    from lines
    where platform_order_id is not null
    group by platform_order_id
    having count(*) > 1
),

-- platform orders of which these lines bought more than they hold
oversold as (
    select m.platform_order_id
    from cited_by_many as m
    inner join platform as p on m.platform_order_id = p.platform_order_id
    where m.quantity > p.quantity
),

-- platform orders that bear out every line that names them
platform_sufficient as (
    select p.platform_order_id, p.hospital_id, p.national_code, p.supplier_party_id, p.quantity
    from platform as p
    where
        not p.is_cancelled
        and not exists (select 1 from oversold as o where o.platform_order_id = p.platform_order_id)
),

-- nearly all lines end here: one platform order of the same hospital, product and supplier bears them out
lines_unproven as (
    select
        l.order_id,
        l.line_no,
        l.hospital_id,
        l.national_code,
        l.product_id,
        l.product_name,
        l.supplier_party_id,
        l.supplier_key,
        l.supplier_name,
        l.quantity,
        l.line_amount,
        l.ordered_on,
        l.channel,
        l.platform_order_id,
        l.filing_no,
        l.approved_by
    from lines as l
    where not exists (
        select 1 from platform_sufficient as p
        where
            p.platform_order_id = l.platform_order_id
            and p.hospital_id = l.hospital_id
            and p.national_code = l.national_code
            and p.supplier_party_id = l.supplier_party_id
            and p.quantity >= l.quantity
    )
),

-- from here on few rows, and each step is read once: a return is no purchase
lines_bought as (
    select
        l.*,
        p.category,
        concat_ws(' ', l.product_name, p.name, p.generic_name) as names
    from lines_unproven as l
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

-- a cell may name several platform orders; a line without a number keeps one row
citations as (
    select
        *,
        unnest(string_to_array(
            coalesce(regexp_replace(trim(platform_order_id), '[,，、;；/ ]+', ',', 'g'), '-'), ','
        )) as cited_id
    from in_scope
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
open_claims as (
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
                when platform_order_id is null then 1
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

-- platform orders that no line uses up, with what is left of them
unused_orders as (
    select p.platform_order_id, p.hospital_id, p.national_code, p.supplier_party_id, p.quantity, p.on_day
    from platform as p
    where
        not p.is_cancelled
        and p.on_day is not null
        and p.supplier_party_id is not null
        and not exists (
            select 1 from lines as l
            where
                l.platform_order_id = p.platform_order_id
                and l.hospital_id = p.hospital_id
                and l.national_code = p.national_code
                and l.quantity >= p.quantity
        )
),

spare_orders as (
    select
        o.platform_order_id,
        o.hospital_id,
        case when left(o.national_code, 1) = 'C' then left(o.national_code, 20) else o.national_code end as code,
        o.supplier_party_id as supplier,
        o.on_day,
        o.quantity - coalesce(sum(l.quantity), 0) as spare
    from unused_orders as o
    left join lines as l
        on
            o.platform_order_id = l.platform_order_id
            and o.hospital_id = l.hospital_id
            and o.national_code = l.national_code
    group by o.platform_order_id, o.hospital_id, o.national_code, o.supplier_party_id, o.on_day, o.quantity
    having o.quantity > coalesce(sum(l.quantity), 0)
),

-- claims and spare orders in order of time
events as (
    select
        claim_id as event_id,
        hospital_id,
        code,
        supplier,
        on_day,
        on_day as claim_day,
        null as order_day,
        bought - linked as quantity,
        claim_id,
        bought,
        linked,
        amount,
        fault,
        claim_lines,
        claim_order_ids,
        coalesce(linked_ids, make_array('-')) as linked_ids
    from open_claims
    union all
    select
        platform_order_id as event_id,
        hospital_id,
        code,
        supplier,
        on_day,
        null as claim_day,
        on_day as order_day,
        spare as quantity,
        null as claim_id,
        null as bought,
        null as linked,
        null as amount,
        null as fault,
        null as claim_lines,
        make_array(platform_order_id) as claim_order_ids,
        make_array(platform_order_id) as linked_ids
    from spare_orders
),

-- an order that a claim counts already is no spare one
events_by_order as (
    select *, unnest(linked_ids) as counted_id from events
),

events_counted as (
    select
        *,
        count(claim_id) over (partition by counted_id) as claims_counting,
        row_number() over (partition by event_id order by counted_id) as event_row
    from events_by_order
),

events_once as (
    select * from events_counted
    where event_row = 1 and (claim_id is not null or claims_counting = 0)
),

-- first the very quantities: claims and orders of one quantity, each within the window of another
equal_beside as (
    select
        *,
        max(claim_day) over before as last_claim,
        max(order_day) over before as last_order,
        min(claim_day) over onward as next_claim,
        min(order_day) over onward as next_order
    from events_once
    window
        before as (
            partition by hospital_id, code, supplier, quantity order by on_day, event_id
            rows between unbounded preceding and 1 preceding
        ),
        onward as (
            partition by hospital_id, code, supplier, quantity order by on_day, event_id
            rows between current row and unbounded following
        )
),

equal_groups as (
    select
        *,
        -- a new group where no claim before and order after, or the other way round, are within the window
        sum(
            case
                when next_order - last_claim <= $window_days or next_claim - last_order <= $window_days then 0
                else 1
            end
        ) over (
            partition by hospital_id, code, supplier, quantity order by on_day, event_id
            rows between unbounded preceding and current row
        ) as group_no
    from equal_beside
),

equal_counts as (
    select
        *,
        count(claim_day) over everyone as claims_here,
        count(order_day) over everyone as orders_here,
        row_number() over (
            partition by hospital_id, code, supplier, quantity, group_no, claim_id is null order by on_day, event_id
        ) as place
    from equal_groups
    window everyone as (partition by hospital_id, code, supplier, quantity, group_no)
),

-- as many orders as claims: these claims are borne out, and so many orders used
without_equal as (
    select * from equal_counts
    where claims_here > orders_here or place > claims_here
),

-- then sums: what hangs together within the window, whatever its quantities
sums_beside as (
    select
        event_id, hospital_id, code, supplier, on_day, claim_day, order_day, quantity,
        claim_id, bought, linked, amount, fault, claim_lines, claim_order_ids,
        max(claim_day) over before as last_claim,
        max(order_day) over before as last_order,
        min(claim_day) over onward as next_claim,
        min(order_day) over onward as next_order
    from without_equal
    window
        before as (
            partition by hospital_id, code, supplier order by on_day, event_id
            rows between unbounded preceding and 1 preceding
        ),
        onward as (
            partition by hospital_id, code, supplier order by on_day, event_id
            rows between current row and unbounded following
        )
),

sum_groups as (
    select
        *,
        sum(
            case
                when next_order - last_claim <= $window_days or next_claim - last_order <= $window_days then 0
                else 1
            end
        ) over (
            partition by hospital_id, code, supplier order by on_day, event_id
            rows between unbounded preceding and current row
        ) as group_no
    from sums_beside
),

-- one case each: claims that what the platform holds nearby does not bear out
group_totals as (
    select
        *,
        count(claim_id) over whole_group as group_claims,
        count(*) over whole_group as group_events,
        sum(case when claim_id is not null then quantity end) over whole_group as group_claimed,
        sum(case when claim_id is null then quantity end) over whole_group as group_spare
    from sum_groups
    window whole_group as (partition by hospital_id, code, supplier, group_no)
),

-- groups whose spare orders do not bear their claims out: few, so that only these are gathered
groups_open as (
    select * from group_totals
    where group_claims > 0 and (group_events = group_claims or group_claimed > group_spare)
),

cases as (
    select
        hospital_id,
        min(fault) as fault,
        sum(bought) as bought,
        sum(linked) as linked,
        coalesce(max(group_spare), 0) as spare,
        sum(amount) as amount,
        array_sort(flatten(
            array_agg(claim_lines order by event_id) filter (where claim_id is not null)
        )) as case_lines,
        array_sort(array_distinct(flatten(array_agg(claim_order_ids order by event_id)))) as platform_order_ids
    from groups_open
    group by hospital_id, code, supplier, group_no
),

faults as (
    select * from (values
        (1, '没有平台订单号', 'no platform order is named'),
        (2, '平台上查无此订单号', 'the number does not exist on the platform'),
        (3, '平台订单属于其他医院', 'the platform order is of another hospital'),
        (4, '平台订单已取消', 'the platform order was cancelled'),
        (5, '平台订单的产品或供应商不符', 'the platform order is for another product or supplier'),
        (6, '数量超过平台订单', 'more was bought than the platform orders hold')
    ) as f (fault, reason_zh, reason_en)
),

final as (
    select
        c.hospital_id,
        c.case_lines[1]['order_id'] as order_id,
        c.case_lines[1]['line_no'] as line_no,
        c.case_lines[1]['supplier_key'] as supplier_key,
        c.case_lines[1]['supplier_name'] as supplier_name,
        c.case_lines[1]['product_name'] as product_name,
        c.case_lines[1]['national_code'] as national_code,
        c.case_lines[1]['ordered_on'] as ordered_on,
        c.bought,
        c.linked + c.spare as on_platform,
        cast(c.amount as decimal(18, 2)) as amount,
        f.reason_zh,
        f.reason_en,
        c.case_lines as purchase_lines,
        c.platform_order_ids
    from cases as c
    inner join faults as f on c.fault = f.fault
)

select * from final
