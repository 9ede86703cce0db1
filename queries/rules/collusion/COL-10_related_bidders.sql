/*---
id: COL-10
version: 1
title: {zh: 关联企业同标投标, en: Related companies bid in one tender}
target: MAN
status: stable
severity: high
certainty: statutory
legal_basis:
  - {law: 招标投标法实施条例, article: "34", effective_from: 2012-02-01}
  - {law: 政府采购法实施条例, article: "18", effective_from: 2015-03-01}
  - {law: 公司法, article: "265", effective_from: 2024-07-01}
why:
  zh: 单位负责人为同一人，或者存在控股、管理关系的不同单位，不得参加同一标段投标；政府采购货物和服务以直接控股、管理关系为限。
  en: Companies with one head, or of which one controls the other, may not bid in the same tender; for goods and services in government procurement only direct control counts.
lawful_explanations:
  - zh: 投标前已变更法定代表人或转让股权，登记尚未更新
    en: The head or the shares changed before the bid and the register is behind
  - zh: 两家投标不同标段（包）
    en: The two bid for different lots
known_gaps:
  - zh: 仅因同受国家控股不视为关联（公司法第265条）
    en: Common control by the state alone does not relate (公司法 265)
  - zh: 标段（包）未单独登记时按同一项目判断
    en: Where lots are not recorded apart the whole tender is taken
  - zh: 协议控制等其他控制关系不在数据中
    en: Control by contract is not in the data
inputs:
  - {dataset: bids, required: [tender_id]}
  - {dataset: relations}
  - {dataset: tenders, optional: true}
  - {dataset: suppliers, optional: true}
  - {dataset: hospitals, optional: true}
  - {dataset: procurement_thresholds, optional: true}
identity: [tender_id, first_supplier_key, second_supplier_key]
subject: {hospital_id: hospital_id, tender_id: tender_id, supplier_key: first_supplier_key, supplier_name: first_supplier_name, other_supplier_key: second_supplier_key, other_supplier_name: second_supplier_name, staff_id: staff_id}
evidence:
  - {dataset: bids, key: [bid_id], column: bid_ids}
  - {dataset: relations, key: [relation_id], column: relation_ids}
  - {dataset: suppliers, key: [supplier_id], column: supplier_ids}
path: hops
message:
  zh: "项目 {tender_id}（{title}）的投标人 {first_supplier_name} 与 {second_supplier_name} 存在{kind_zh}。请先核对投标时登记是否已经变更。"
  en: "Bidders {first_supplier_name} and {second_supplier_name} of tender {tender_id} ({title}) are related: {kind_en}. Check first whether the register had changed by then."
---*/
with

bids_made as (
    select * from bidders
),

tenders_dated as (
    select tender_id, kind from tender_facts
),

related as (
    select * from related_suppliers()
),

pairs as (
    select
        a.tender_id,
        a.hospital_id,
        a.title,
        a.staff_id,
        a.bid_on,
        a.bid_id as first_bid_id,
        b.bid_id as second_bid_id,
        a.supplier_party_id as first_party_id,
        b.supplier_party_id as second_party_id,
        a.supplier_key as first_supplier_key,
        b.supplier_key as second_supplier_key,
        a.supplier_name as first_supplier_name,
        b.supplier_name as second_supplier_name
    from bids_made as a
    inner join bids_made as b on a.tender_id = b.tender_id
    where a.supplier_key < b.supplier_key
),

related_both_ways as (
    select a_party_id, b_party_id, kind, hops, valid_from, valid_to from related
    union all
    select b_party_id, a_party_id, kind, hops, valid_from, valid_to from related
),

related_pairs as (
    select p.*, r.kind, r.hops
    from pairs as p
    inner join related_both_ways as r
        on p.first_party_id = r.a_party_id and p.second_party_id = r.b_party_id
    where
        (r.valid_from is null or r.valid_from <= p.bid_on)
        and (r.valid_to is null or r.valid_to > p.bid_on)
),

-- government procurement of goods and services forbids direct control only; the tender law for works, any
forbidden_pairs as (
    select p.*
    from related_pairs as p
    left join tenders_dated as t on p.tender_id = t.tender_id
    where
        p.kind = 'same_legal_representative'
        or (p.kind = 'control' and array_length(p.hops) = 1)
        or (p.kind in ('control', 'common_control') and t.kind = 'works')
),

ranked as (
    select
        *,
        row_number() over (
            partition by tender_id, first_supplier_key, second_supplier_key
            order by kind desc, array_length(hops), first_bid_id, second_bid_id
        ) as choice
    from forbidden_pairs
),

chosen as (
    select * from ranked where choice = 1
),

-- the rows that state the relation
hops_one_by_one as (
    select tender_id, first_supplier_key, second_supplier_key, unnest(hops) as hop from chosen
),

rows_of_hops as (
    select
        tender_id,
        first_supplier_key,
        second_supplier_key,
        array_agg(hop['key'] order by hop['key']) filter (where hop['dataset'] = 'relations') as relation_ids,
        array_agg(hop['key'] order by hop['key']) filter (where hop['dataset'] = 'suppliers') as supplier_ids
    from hops_one_by_one
    group by tender_id, first_supplier_key, second_supplier_key
),

final as (
    select
        c.tender_id,
        c.hospital_id,
        c.title,
        c.staff_id,
        c.first_supplier_key,
        c.second_supplier_key,
        c.first_supplier_name,
        c.second_supplier_name,
        case c.kind
            when 'same_legal_representative' then '同一法定代表人'
            when 'control' then '控股关系'
            else '同一控股人'
        end as kind_zh,
        case c.kind
            when 'same_legal_representative' then 'one legal representative'
            when 'control' then 'one controls the other'
            else 'one controlling holder'
        end as kind_en,
        c.hops,
        make_array(c.first_bid_id, c.second_bid_id) as bid_ids,
        r.relation_ids,
        r.supplier_ids
    from chosen as c
    left join rows_of_hops as r
        on
            c.tender_id = r.tender_id
            and c.first_supplier_key = r.first_supplier_key
            and c.second_supplier_key = r.second_supplier_key
)

select * from final
