/*---
id: SUP-01
version: 1
title: {zh: 未签廉洁协议即采购, en: Purchases without an integrity agreement and commitment}
target: BEN
status: stable
severity: high
certainty: strong
legal_basis:
  - law: 医疗机构廉洁购销管理规定（以合肥市第一人民医院2021年文件为准）
    article: 签署购销合同的同时，必须签署廉洁购销协议和供应商廉洁承诺书
    effective_from: 2021-01-01
why:
  zh: 购销行为必须以有效的廉洁购销协议和供应商廉洁承诺书为前提，缺一即为未签。
  en: Buying requires an integrity agreement and a commitment of the supplier, both in force; one alone is not enough.
lawful_explanations:
  - zh: 协议由上级医院或医联体统一签订，未录入本院台账
    en: The agreement was signed by the parent hospital or alliance and is not in this hospital's register
  - zh: 协议以供应商曾用名签订
    en: The agreement stands under a former name of the supplier
  - zh: 非药品、设备、耗材采购，制度未要求签订
    en: A purchase of a kind for which the hospital's rule asks for no agreement
known_gaps:
  - zh: 只看采购明细，不看合同签订日
    en: Looks at order lines, not at the day a contract was signed
  - zh: 补签前的采购在此列出，补签逾期另见 SUP-02；到期后的采购见 SUP-03；make_up_days 可放宽补签期限
    en: Purchases before a late signature are told here, the late signature in SUP-02, purchases after expiry in SUP-03; make_up_days grants time to make up
  - zh: 分支机构关系未同步时，总公司代签的协议可能看不到
    en: Without relations, an agreement signed by the parent of a branch may not be seen
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [hospital_id, ordered_at]}
  - {dataset: agreements, required: [hospital_id, kind]}
  - {dataset: relations, optional: true}
params: {make_up_days: 0}
identity: [hospital_id, supplier_key]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name}
evidence:
  - {dataset: purchase_orders, key: [order_id, line_no], column: purchase_lines}
  - {dataset: agreements, key: [agreement_id], column: agreement_ids}
amount_at_risk: total_amount
message:
  zh: "{first_on} 至 {last_on} 向 {supplier_name} 采购 {line_count} 行、{total_amount} 元时，尚未签署{missing_zh}。请先核对是否由上级单位代签或以曾用名签订。"
  en: "{line_count} lines, {total_amount} CNY were bought from {supplier_name} from {first_on} to {last_on} without {missing_en}. Check first whether a parent body or a former name signed."
---*/
with

spans as (
    select * from purchase_spans
),

cover as (
    select * from agreement_cover
),

intervals as (
    select * from agreement_intervals
),

required_kinds as (
    select * from (values
        ('integrity_agreement', '廉洁购销协议', 'an integrity agreement'),
        ('integrity_commitment', '供应商廉洁承诺书', 'an integrity commitment')
    ) as k (kind, name_zh, name_en)
),

first_cover as (
    select hospital_id, supplier_party_id, kind, min(starts_on) as starts_on
    from cover
    group by hospital_id, supplier_party_id, kind
),

-- each supplier of each hospital owes both; a purchase after expiry is SUP-03's
unmet_duties as (
    select
        s.hospital_id,
        s.supplier_party_id,
        k.kind,
        k.name_zh,
        k.name_en,
        f.starts_on - $make_up_days as tolerated_from
    from spans as s
    cross join required_kinds as k
    left join first_cover as f
        on
            s.hospital_id = f.hospital_id
            and s.supplier_party_id = f.supplier_party_id
            and k.kind = f.kind
    where f.starts_on is null or s.first_on < f.starts_on - $make_up_days
),

-- a supplier that owes both is told once: the later date counts, none counts as never
unmet_suppliers as (
    select
        hospital_id,
        supplier_party_id,
        string_agg(name_zh, '、' order by kind) as missing_zh,
        string_agg(name_en, ' and ' order by kind) as missing_en,
        max(coalesce(tolerated_from, date '9999-12-31')) as tolerated_from
    from unmet_duties
    group by hospital_id, supplier_party_id
),

uncovered_lines as (
    select
        p.order_id,
        p.line_no,
        p.hospital_id,
        p.supplier_party_id,
        p.supplier_key,
        p.supplier_name,
        p.ordered_on,
        p.line_amount,
        u.missing_zh,
        u.missing_en,
        row_number() over (
            partition by p.hospital_id, p.supplier_party_id order by p.ordered_at, p.order_id, p.line_no
        ) as place
    from purchases as p
    inner join unmet_suppliers as u
        on p.hospital_id = u.hospital_id and p.supplier_party_id = u.supplier_party_id
    where p.ordered_on < u.tolerated_from
),

-- what was signed too late, for the reader
signed as (
    select
        u.hospital_id,
        u.supplier_party_id,
        array_sort(array_agg(distinct i.agreement_id)) as agreement_ids
    from unmet_duties as u
    inner join intervals as i
        on
            u.hospital_id = i.hospital_id
            and u.supplier_party_id = i.supplier_party_id
            and u.kind = i.kind
    group by u.hospital_id, u.supplier_party_id
),

alerts as (
    select
        hospital_id,
        supplier_party_id,
        min(supplier_key) as supplier_key,
        min(supplier_name) as supplier_name,
        min(missing_zh) as missing_zh,
        min(missing_en) as missing_en,
        min(ordered_on) as first_on,
        max(ordered_on) as last_on,
        count(*) as line_count,
        cast(sum(line_amount) as decimal(18, 2)) as total_amount,
        array_agg(named_struct('order_id', order_id, 'line_no', line_no) order by place)
            filter (where place <= 50) as purchase_lines
    from uncovered_lines
    group by hospital_id, supplier_party_id
),

final as (
    select a.*, s.agreement_ids
    from alerts as a
    left join signed as s on a.hospital_id = s.hospital_id and a.supplier_party_id = s.supplier_party_id
)

select * from final
