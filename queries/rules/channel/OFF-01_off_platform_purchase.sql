/*---
id: OFF-01
version: 5
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
  - zh: 退货（负数量）不与原采购抵销
    en: Returns (negative quantities) are not set off against what they return
  - zh: 平台数据中没有某医院的任何订单时，无法区分未接入与全部线下采购；其明细照列，并在预警中写明
    en: Where the platform holds no order of a hospital, not connected cannot be told from all bought elsewhere; its lines are told, and the alert says so
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

-- what the platform orders that lines name do not bear out
open_claims as (
    select * from unborne_claims
),

lines as (
    select * from unsettled_purchases
),

-- an order that a claim counts already is no spare one, and one of another trade helps no claim
counted_orders as (
    select unnest(linked_ids) as platform_order_id from open_claims
    where linked_ids is not null
),

platform as (
    select p.*
    from unsettled_platform as p
    left anti join counted_orders as c on p.platform_order_id = c.platform_order_id
    left semi join open_claims as o
        on
            p.hospital_id = o.hospital_id
            and p.supplier_party_id = o.supplier
            and case when left(p.national_code, 1) = 'C' then left(p.national_code, 20) else p.national_code end = o.code
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
        claim_id
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
        null as claim_id
    from spare_orders
),

-- first the very quantities, where there are claims and orders of one; nearly all are one claim and its order
equal_quantities as (
    select
        hospital_id,
        code,
        supplier,
        quantity,
        count(*) = 2 and abs(max(claim_day) - max(order_day)) <= $window_days as is_pair
    from events
    group by hospital_id, code, supplier, quantity
    having count(claim_day) > 0 and count(order_day) > 0
),

events_of_equal as (
    select e.*
    from events as e
    inner join equal_quantities as q
        on
            e.hospital_id = q.hospital_id
            and e.code = q.code
            and e.supplier = q.supplier
            and e.quantity = q.quantity
    where not q.is_pair
),

events_of_no_equal as (
    select e.*
    from events as e
    left anti join equal_quantities as q
        on
            e.hospital_id = q.hospital_id
            and e.code = q.code
            and e.supplier = q.supplier
            and e.quantity = q.quantity
),

-- claims and orders of one quantity, each within the window of another
equal_beside as (
    select
        *,
        max(claim_day) over before as last_claim,
        max(order_day) over before as last_order,
        min(claim_day) over onward as next_claim,
        min(order_day) over onward as next_order
    from events_of_equal
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

events_without_equal as (
    select
        event_id, hospital_id, code, supplier, on_day, claim_day, order_day, quantity, claim_id
    from without_equal
    union all
    select
        event_id, hospital_id, code, supplier, on_day, claim_day, order_day, quantity, claim_id
    from events_of_no_equal
),

-- then sums: what hangs together within the window, whatever its quantities
sums_beside as (
    select
        event_id, hospital_id, code, supplier, on_day, claim_day, order_day, quantity, claim_id,
        max(claim_day) over before as last_claim,
        max(order_day) over before as last_order,
        min(claim_day) over onward as next_claim,
        min(order_day) over onward as next_order
    from events_without_equal
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

-- groups whose spare orders do not bear their claims out: few, so that only here what was claimed is looked up again
groups_open as (
    select
        g.*,
        c.bought,
        c.linked,
        c.amount,
        c.fault,
        c.claim_lines,
        coalesce(c.claim_order_ids, make_array(g.event_id)) as claim_order_ids
    from group_totals as g
    left join open_claims as c on g.claim_id = c.claim_id
    where g.group_claims > 0 and (g.group_events = g.group_claims or g.group_claimed > g.group_spare)
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

-- where the platform holds no order of a hospital at all, its data may not be connected: that is to be looked at first
hospitals_on_platform as (
    select distinct hospital_id from platform_orders_known
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
        case
            when h.hospital_id is null then f.reason_zh || '（平台数据中没有该医院的任何订单，请先确认其数据已接入）'
            else f.reason_zh
        end as reason_zh,
        case
            when h.hospital_id is null
                then f.reason_en || ' (no platform order of this hospital is known at all: see first whether its data is connected)'
            else f.reason_en
        end as reason_en,
        c.case_lines as purchase_lines,
        c.platform_order_ids
    from cases as c
    inner join faults as f on c.fault = f.fault
    left join hospitals_on_platform as h on c.hospital_id = h.hospital_id
)

select * from final
