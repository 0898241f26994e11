#!/bin/sh
# Takes the lease a DHCP client got: udhcpc hands it over as $ip, dhclient as $new_ip_address.
case "${1:-$reason}" in
    bound | renew) ip addr flush dev "$interface" scope global; ip addr add "$ip/24" dev "$interface"; ip route replace default via "${router:-10.20.0.1}" ;;
    BOUND | RENEW | REBOOT) ip addr flush dev "$interface" scope global; ip addr add "$new_ip_address/24" dev "$interface"; ip route replace default via "${new_routers:-10.20.0.1}" ;;
esac
exit 0
