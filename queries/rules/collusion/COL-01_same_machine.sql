/*---
id: COL-01
version: 1
title: {zh: 投标文件出自同一台电脑, en: Bids made on the same machine}
target: MAN
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 招标投标法实施条例, article: 第40条第（一）项, effective_from: 2012-02-01}
why:
  zh: 不同投标人的文件出自同一网卡，各地规定据此认定由同一单位或个人编制。
  en: Bids of several bidders that come from one network card are held by local rules to be made by one unit or person.
lawful_explanations:
  - zh: 投标人都在代理机构或打印店的公用电脑上制作、上传
    en: The bidders used a public machine of the agency or of a copy shop
  - zh: 虚拟机或克隆系统的网卡地址相同
    en: Virtual or cloned machines carry the same address
known_gaps:
  - zh: MAC 地址来自电子招标平台和地方规定，不在条例原文之列
    en: The statute does not name MAC addresses; local rules and platform practice do
  - zh: 只看网卡地址，不看处理器、硬盘和加密锁序号
    en: Only network cards; processor, disk and dongle numbers are not in the data
inputs:
  - {dataset: bids, required: [tender_id, mac_address]}
  - {dataset: tenders, optional: true}
params: {suppliers_max: 20, virtual_prefixes: ["005056", "000c29", "000569", "001c14", "080027", "0a0027", "00155d", "525400", "001c42", "00163e", "024200", "02004c"]}
identity: [tender_id]
subject: {hospital_id: hospital_id, tender_id: tender_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: bids, key: [bid_id], column: bid_ids}
amount_at_risk: won_amount
message:
  zh: "项目 {tender_id}（{title}）有 {bidder_count} 家投标人的文件出自同一网卡：{bidders_text}。请先核对是否使用公用电脑。"
  en: "In tender {tender_id} ({title}) the bids of {bidder_count} bidders come from one network card: {bidders_text}. Check first for a public machine."
---*/
with

bids_made as (
    select *, norm_mac(mac_address) as sign
    from bidders
    where mac_address is not null
),

-- all zeros, all ones, or one digit all over tells no machine
with_real_address as (
    select * from bids_made
    where replace(sign, left(sign, 1), '') <> ''
),

-- virtual machines are copied with their address
without_virtual as (
    select * from with_real_address
    where left(sign, 6) not in ($virtual_prefixes)
),

-- a machine that many suppliers use is a public one, the agency's or a copy shop's
public_machines as (
    select sign
    from without_virtual
    group by sign
    having count(distinct supplier_party_id) > $suppliers_max
),

without_public as (
    select b.* from without_virtual as b
    where not exists (select 1 from public_machines as p where p.sign = b.sign)
),

-- one value in the hands of several bidders of one tender
shared as (
    select tender_id, sign
    from without_public
    group by tender_id, sign
    having count(distinct supplier_party_id) >= 2
),

sharing_bids as (
    select b.*
    from without_public as b
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
