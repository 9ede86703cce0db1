/*---
id: COL-06
version: 1
title: {zh: 投标文件作者同一, en: Bids with the same document author}
target: MAN
status: stable
severity: medium
certainty: indicator
legal_basis:
  - {law: 招标投标法实施条例, article: 第40条第（一）项, effective_from: 2012-02-01}
why:
  zh: 不同投标人的电子文件作者相同，可作为由同一单位或个人编制的佐证。
  en: The same author in the files of several bidders supports that one unit or person made them.
lawful_explanations:
  - zh: 使用招标人或代理机构提供的同一模板
    en: The bidders filled in one template of the buyer or the agency
  - zh: 作者是软件或系统的默认名
    en: The author is a default name of a program or system
known_gaps:
  - zh: 常见默认作者名以清单排除，清单外的默认名会误报
    en: Default names are left out by a list; those not on it are told
inputs:
  - {dataset: bids, required: [tender_id, document_author]}
  - {dataset: tenders, optional: true}
params:
  suppliers_max: 20
  default_authors: [administrator, admin, user, users, wps, wps office, test, guest, owner, author, unknown, default, office, microsoft, microsoft office, microsoft office user, microsoft corporation, windows, windows user, windows 用户, 微软用户, 微软中国, 用户, 管理员, 作者, 未知, 默认, 雨林木风, 深度, 番茄花园, lenovo, thinkpad, dell, hp, asus, acer, huawei, apple, mac, pc, python-docx, openpyxl, apache poi, adobe, kingsoft]
identity: [tender_id]
subject: {hospital_id: hospital_id, tender_id: tender_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: bids, key: [bid_id], column: bid_ids}
amount_at_risk: won_amount
message:
  zh: "项目 {tender_id}（{title}）有 {bidder_count} 家投标人的文件作者相同：{bidders_text}。请先核对是否使用统一模板。"
  en: "In tender {tender_id} ({title}) the files of {bidder_count} bidders name the same author: {bidders_text}. Check first for a common template."
---*/
with

bids_made as (
    select *, lower(trim(document_author)) as sign
    from bidders
    where document_author is not null
),

-- default names of programs and systems
with_own_name as (
    select * from bids_made
    where sign <> '' and sign not in ($default_authors)
),

-- the agency's template
without_template as (
    select * from with_own_name
    where agency is null or sign <> lower(trim(agency))
),

-- a name in the files of many suppliers is a template's or a program's
common_names as (
    select sign
    from without_template
    group by sign
    having count(distinct supplier_party_id) > $suppliers_max
),

without_common_name as (
    select b.* from without_template as b
    where not exists (select 1 from common_names as c where c.sign = b.sign)
),

-- one value in the hands of several bidders of one tender
shared as (
    select tender_id, sign
    from without_common_name
    group by tender_id, sign
    having count(distinct supplier_party_id) >= 2
),

sharing_bids as (
    select b.*
    from without_common_name as b
    inner join shared as s on b.tender_id = s.tender_id and b.sign = s.sign
),

final as (
    select
        tender_id,
        min(hospital_id) as hospital_id,
        min(title) as title,
        min(staff_id) as staff_id,
        first_value(supplier_key order by coalesce(is_winner, false) desc, supplier_key, bid_id) as supplier_key,
        first_value(supplier_name order by coalesce(is_winner, false) desc, supplier_key, bid_id) as supplier_name,
        count(distinct supplier_party_id) as bidder_count,
        array_to_string(array_sort(array_agg(distinct supplier_name)), '、') as bidders_text,
        max(case when is_winner then amount end) as won_amount,
        array_agg(bid_id order by bid_id) as bid_ids
    from sharing_bids
    group by tender_id
)

select * from final
