/*---
id: REL-05
version: 1
title: {zh: 多跳控制链, en: Staff linked to a supplier through a chain}
target: BEN
status: stable
severity: medium
certainty: indicator
legal_basis:
  - {law: 公司法, article: "265", effective_from: 2024-07-01}
  - {law: 政府采购法实施条例, article: "9", effective_from: 2015-03-01}
why:
  zh: 职工或其亲属经由中间企业与本院供应商相连，直接比对看不出来。
  en: Staff or their relatives are linked to a supplier through companies in between, which no direct comparison shows.
lawful_explanations:
  - zh: 中间企业仅为少数财务投资，没有影响力
    en: The company in between is a small financial investment without influence
  - zh: 已如实申报并回避
    en: It was declared and the person stood aside
known_gaps:
  - zh: 链条最长四跳；每一跳必须在同一时段有效
    en: Chains of at most four hops, all of which must have held at the same time
  - zh: 只凭证件号码或统一社会信用代码相连，同名不算
    en: Linked by document numbers only, never by name
  - zh: 直接持股任职见 REL-01，亲属直接持股任职见 REL-02
    en: Direct interests are REL-01's, those of relatives REL-02's
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [hospital_id, ordered_at]}
  - {dataset: staff, required: [hospital_id]}
  - {dataset: relations, required: [from_id, to_id]}
  - {dataset: suppliers, optional: true}
  - {dataset: declarations, optional: true}
identity: [staff_id, hospital_id, supplier_key]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: purchase_orders, key: [order_id, line_no], column: purchase_lines}
  - {dataset: staff, key: [staff_id], column: staff_id}
  - {dataset: relations, key: [relation_id], column: relation_ids}
  - {dataset: suppliers, key: [supplier_id], column: register_ids}
  - {dataset: declarations, key: [declaration_id], column: declaration_ids}
amount_at_risk: total_amount
path: hops
message:
  zh: "本院人员 {staff_id} 经 {hop_count} 跳与供应商 {supplier_name} 相连（{strength_zh}），相连期间采购 {line_count} 行、{total_amount} 元。请先逐跳核对路径。"
  en: "Staff {staff_id} is linked to {supplier_name} in {hop_count} hops ({strength_en}); {line_count} lines, {total_amount} CNY bought meanwhile. Check the path hop by hop first."
---*/
with

spans as (
    select * from purchase_spans
),

people as (
    select staff_id, hospital_id, left_on from staff
    where hospital_id is not null
),

paths as (
    select * from related_parties(4)
),

-- one hop is REL-01's; a relative and one hop are REL-02's
through_companies as (
    select * from paths
    where
        hop_count > 2
        or (
            hop_count = 2
            and hops[1]['relation'] not in ('spouse', 'parent', 'child', 'sibling', 'other_relative')
        )
),

-- told only where the path and a purchase of the same hospital meet in time; the shortest, surest path first
paths_with_purchases as (
    select
        s.hospital_id,
        s.left_on,
        t.*,
        row_number() over (
            partition by t.staff_id, s.hospital_id, t.supplier_party_id
            order by t.hop_count, t.controls desc, t.share desc nulls last, t.valid_from, t.valid_to, t.hops[1]['key']
        ) as choice
    from through_companies as t
    inner join people as s on t.staff_id = s.staff_id
    inner join spans as p on s.hospital_id = p.hospital_id and t.supplier_party_id = p.supplier_party_id
    where
        (t.valid_from is null or t.valid_from <= p.last_on)
        and (t.valid_to is null or t.valid_to > p.first_on)
),

lines as (
    select
        t.staff_id,
        t.choice,
        t.supplier_party_id,
        p.order_id,
        p.line_no,
        p.hospital_id,
        p.supplier_key,
        p.supplier_name,
        p.line_amount,
        row_number() over (
            partition by t.staff_id, p.hospital_id, p.supplier_party_id, t.choice
            order by p.ordered_at, p.order_id, p.line_no
        ) as place
    from purchases as p
    inner join paths_with_purchases as t
        on p.hospital_id = t.hospital_id and p.supplier_party_id = t.supplier_party_id
    where
        (t.valid_from is null or p.ordered_on >= t.valid_from)
        and (t.valid_to is null or p.ordered_on < t.valid_to)
        and (t.left_on is null or p.ordered_on < t.left_on)
),

purchases_met as (
    select
        staff_id,
        hospital_id,
        supplier_party_id,
        choice,
        min(supplier_key) as supplier_key,
        min(supplier_name) as supplier_name,
        count(*) as line_count,
        cast(sum(line_amount) as decimal(18, 2)) as total_amount,
        array_agg(named_struct('order_id', order_id, 'line_no', line_no) order by place)
            filter (where place <= 50) as purchase_lines
    from lines
    group by staff_id, hospital_id, supplier_party_id, choice
),

-- the best of the paths that met a purchase
best as (
    select
        *,
        row_number() over (partition by staff_id, hospital_id, supplier_party_id order by choice) as place
    from purchases_met
),

linked as (
    select b.*, t.hops, t.hop_count, t.share, t.controls
    from best as b
    inner join paths_with_purchases as t
        on
            b.staff_id = t.staff_id
            and b.hospital_id = t.hospital_id
            and b.supplier_party_id = t.supplier_party_id
            and b.choice = t.choice
    where b.place = 1
),

hops_one_by_one as (
    select staff_id, hospital_id, supplier_party_id, unnest(hops) as hop from linked
),

rows_of_hops as (
    select
        staff_id,
        hospital_id,
        supplier_party_id,
        array_agg(hop['key'] order by hop['key']) filter (where hop['dataset'] = 'relations') as relation_ids,
        array_agg(hop['key'] order by hop['key']) filter (where hop['dataset'] = 'suppliers') as register_ids,
        array_agg(hop['key'] order by hop['key']) filter (where hop['dataset'] = 'declarations') as declaration_ids
    from hops_one_by_one
    group by staff_id, hospital_id, supplier_party_id
),

final as (
    select
        l.staff_id,
        l.hospital_id,
        l.supplier_key,
        l.supplier_name,
        l.hop_count,
        l.line_count,
        l.total_amount,
        l.purchase_lines,
        l.hops,
        case when l.controls then '逐层控股' else '持股或任职' end
        || coalesce('，合计持股 ' || cast(l.share as varchar) || '%', '') as strength_zh,
        case when l.controls then 'control all along' else 'holdings or posts' end
        || coalesce(', combined share ' || cast(l.share as varchar) || '%', '') as strength_en,
        r.relation_ids,
        r.register_ids,
        r.declaration_ids
    from linked as l
    inner join rows_of_hops as r
        on
            l.staff_id = r.staff_id
            and l.hospital_id = r.hospital_id
            and l.supplier_party_id = r.supplier_party_id
)

select * from final
