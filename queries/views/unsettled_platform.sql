/*---
name: unsettled_platform
title: {zh: 未逐笔对应的平台订单, en: Platform orders that do not simply agree with the purchase lines that name them}
---*/
select p.* from platform_orders_known as p
left semi join unsettled_platform_orders as o on p.platform_order_id = o.platform_order_id
