"""Programs others wrote, on a cable: each device is found with the right make, model and role."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.product.stacks import DEVICE, MANAGER, Cable, devices_of, needs, python

from medwarden.app.study import study
from medwarden.model.device import Device


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    try:
        made = Cable(tmp_path)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespace with a veth pair can be made here: {error}")
    yield made
    made.cut()


BACNET_DEVICE = f"""
import asyncio
from bacpypes3.app import Application
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject

async def main():
    device = DeviceObject(
        objectIdentifier="device,2401", objectName="AHU-OR-1", vendorIdentifier=7,
        vendorName="Siemens", modelName="PXC36.1-E.D", firmwareRevision="FW=V6.00.320",
        applicationSoftwareVersion="4711", location="Roof, operating rooms", serialNumber="180523T0042",
    )
    port = NetworkPortObject("{DEVICE}/24", objectIdentifier=("network-port", 1), objectName="port 1")
    app = Application.from_object_list([device, port])
    await asyncio.Event().wait()

asyncio.run(main())
"""
BACNET_CLIENT = f"""
import asyncio
from bacpypes3.app import Application
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.pdu import Address

async def main():
    device = DeviceObject(objectIdentifier="device,99", objectName="BMS", vendorIdentifier=999)
    port = NetworkPortObject("{MANAGER}/24", objectIdentifier=("network-port", 1), objectName="port 1")
    app = Application.from_object_list([device, port])
    found = await app.who_is(timeout=1, address=Address("{DEVICE}"))
    for name in "object-name vendor-name model-name firmware-revision location serial-number".split():
        print(await app.read_property("{DEVICE}", "device,2401", name))
    print("heard", len(found))

asyncio.run(main())
"""


@needs()
def test_bacnet_controller(cable: Cable) -> None:
    cable.device(*python(BACNET_DEVICE))
    with cable.overheard() as capture:
        cable.until(*python(BACNET_CLIENT), says="heard 1")
    device = devices_of(capture)[DEVICE]
    assert (device.device_class, device.category, device.vendor) == ("OT", "bms_controller", "Siemens")
    assert (device.model, device.serial, device.firmware) == ("PXC36.1-E.D", "180523T0042", "FW=V6.00.320")
    assert device.location == "Roof, operating rooms"
    assert "AHU-OR-1" in device.names


MODBUS_SERVER = """
import asyncio
from pymodbus import ModbusDeviceIdentification
from pymodbus.server import StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

who = ModbusDeviceIdentification(info_name={
    "VendorName": "Schneider Electric", "ProductCode": "METSEPM5560", "MajorMinorRevision": "V02.60",
    "ProductName": "PowerLogic PM5560", "ModelName": "PM5560",
})
device = SimDevice(1, simdata=[SimData(0, count=10, values=1, datatype=DataType.REGISTERS)])
asyncio.run(StartAsyncTcpServer(context=device, identity=who, address=("0.0.0.0", 502)))
"""
MODBUS_CLIENT = f"""
from pymodbus.client import ModbusTcpClient

client = ModbusTcpClient("{DEVICE}", port=502, timeout=2)
print("connected", client.connect())
print(client.read_holding_registers(0, count=2))
print(client.read_device_information(read_code=2, object_id=0).information)
client.close()
"""


@needs()
def test_modbus_meter(cable: Cable) -> None:
    cable.device(*python(MODBUS_SERVER))
    with cable.overheard() as capture:
        cable.until(*python(MODBUS_CLIENT), says="PowerLogic PM5560")
    found = devices_of(capture)
    device = found[DEVICE]
    assert (device.device_class, device.category) == ("OT", "power_meter")
    assert (device.vendor, device.firmware) == ("Schneider Electric", "V02.60")
    assert device.model is not None
    assert "PM5560" in device.model
    assert ("modbus.role", "client") in {(e.field, e.value) for e in found[MANAGER].ledger}


COAP_SERVER = f"""
import asyncio
import aiocoap
import aiocoap.resource as resource

class Temperature(resource.Resource):
    rt = "temperature-c"
    async def render_get(self, request):
        return aiocoap.Message(payload=b"4.1")

async def main():
    root = resource.Site()
    root.add_resource([".well-known", "core"], resource.WKCResource(root.get_resources_as_linkheader))
    root.add_resource(["sensors", "temp"], Temperature())
    await aiocoap.Context.create_server_context(root, bind=("{DEVICE}", 5683))
    await asyncio.Event().wait()

asyncio.run(main())
"""
COAP_CLIENT = f"""
import asyncio
import aiocoap

async def main():
    context = await aiocoap.Context.create_client_context(transports=["simple6"])
    request = aiocoap.Message(code=aiocoap.GET, uri="coap://{DEVICE}/.well-known/core")
    answer = await asyncio.wait_for(context.request(request).response, 3)
    print(answer.payload.decode())
    await context.shutdown()

asyncio.run(main())
"""


@needs()
def test_coap_thermometer(cable: Cable) -> None:
    cable.device(*python(COAP_SERVER), AIOCOAP_SERVER_TRANSPORT="simplesocketserver")
    with cable.overheard() as capture:
        cable.until(*python(COAP_CLIENT), says="temperature-c")
    device = devices_of(capture)[DEVICE]
    assert (device.device_class, device.category) == ("IoT", "env_sensor")
    assert ("coap.resource", "/sensors/temp") in {(e.field, e.value) for e in device.ledger}


@needs("mosquitto", "mosquitto_pub")
def test_mqtt_sensor_and_broker(cable: Cable, tmp_path: Path) -> None:
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(f"listener 1883 {DEVICE}\nallow_anonymous true\nuser root\n")
    cable.device("mosquitto", "-c", str(settings))
    with cable.overheard() as capture:
        publish = ("mosquitto_pub", "-h", DEVICE, "-i", "testo Saveris 0815", "-t", "t", "-m", "4.1")
        cable.until("sh", "-c", " ".join(f"'{word}'" for word in publish) + " && echo sent", says="sent")
    found = devices_of(capture)
    assert found[MANAGER].category == "env_sensor"
    assert {s.application for s in found[DEVICE].services} == {"mqtt"}


@needs("snmpd", "snmpget", "snmptrap")
def test_snmp_agent_and_trap(cable: Cable, tmp_path: Path) -> None:
    settings = tmp_path / "snmpd.conf"
    settings.write_text(
        f"agentaddress udp:{DEVICE}:161\nrocommunity public\nsysLocation Basement, rack 4\n"
        "sysName ups-icu\nsysDescr APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.5.0)\n"
    )
    cable.device("snmpd", "-f", "-C", "-c", str(settings), "-Lo", "-p", str(tmp_path / "pid"))
    system = "1.3.6.1.2.1.1"
    with cable.overheard() as capture:
        cable.until(
            *("snmpget", "-v2c", "-cpublic", "-t1", "-r0", "-On", DEVICE),
            *(f"{system}.1.0", f"{system}.5.0", f"{system}.6.0"),
            says="ups-icu",
        )
        cable.manager(
            *(
                "snmptrap",
                "-v2c",
                "-cpublic",
                DEVICE,
                "1",
                "1.3.6.1.6.3.1.1.5.3",
                f"{system}.5.0",
                "s",
                "sw-icu-1",
            )
        )
    found = devices_of(capture)
    device = found[DEVICE]
    assert (device.vendor, device.category, device.location) == ("APC", "ups", "Basement, rack 4")
    assert "ups-icu" in device.names
    assert "sw-icu-1" in found[MANAGER].names  # who sends a trap names itself
    assert ("snmp.trap_oid", "1.3.6.1.6.3.1.1.5.3") in {(e.field, e.value) for e in found[MANAGER].ledger}


@needs("smbd", "smbclient")
def test_samba_server(cable: Cable, tmp_path: Path) -> None:
    for folder in ("private", "state", "share"):
        (tmp_path / folder).mkdir()
    settings = tmp_path / "smb.conf"
    settings.write_text(
        "[global]\nworkgroup = WARD\nnetbios name = NAS-ECHO-1\nserver min protocol = SMB2\n"
        f"interfaces = {DEVICE}/24 lo\nbind interfaces only = yes\nsmb ports = 445\nmap to guest = Bad User\n"
        + "".join(
            f"{name} = {tmp_path / 'state'}\n"
            for name in (
                "lock directory",
                "state directory",
                "cache directory",
                "pid directory",
                "ncalrpc dir",
            )
        )
        + f"private dir = {tmp_path / 'private'}\nlog file = {tmp_path / 'smbd.log'}\ndisable spoolss = yes\n"
        f"[data]\npath = {tmp_path / 'share'}\nguest ok = yes\n"
    )
    tmp_path.chmod(0o755)
    cable.device("smbd", "--foreground", "--no-process-group", "-s", str(settings))
    with cable.overheard() as capture:
        cable.until("smbclient", "-s", str(settings), "-N", "-L", f"//{DEVICE}", "-m", "SMB3", says="data")
    device = devices_of(capture)[DEVICE]
    heard = {(e.field, e.value) for e in device.ledger}
    assert ("smb.dialect", "SMB 3.1.1") in heard
    assert ("ntlmssp.computer", "NAS-ECHO-1") in heard
    assert "NAS-ECHO-1" in device.names
    assert (device.device_class, {s.port for s in device.services}) == ("IT", {445})


RADIUS_CONFIGURATION = """
prefix = /usr
exec_prefix = /usr
libdir = /usr/lib/freeradius
localstatedir = {folder}
logdir = {folder}
run_dir = {folder}
raddbdir = {folder}
confdir = {folder}
modconfdir = {folder}
certdir = {folder}
cadir = {folder}
db_dir = {folder}
name = freeradius
pidfile = {folder}/freeradius.pid
max_request_time = 5
cleanup_delay = 1
max_requests = 256
log {{
    destination = files
    file = {folder}/radius.log
}}
security {{
    allow_core_dumps = no
    max_attributes = 200
    reject_delay = 0
    status_server = yes
}}
thread pool {{
    start_servers = 1
    max_servers = 2
    min_spare_servers = 1
    max_spare_servers = 1
    max_requests_per_server = 0
}}
client manager {{
    ipaddr = {manager}
    secret = not-a-secret
}}
modules {{
    always ok {{
        rcode = ok
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = {device}
        port = 1812
    }}
    listen {{
        type = acct
        ipaddr = {device}
        port = 1813
    }}
    authorize {{
        update control {{
            &Auth-Type := Accept
        }}
    }}
    accounting {{
        ok
    }}
}}
"""
ADMISSION = """User-Name = "host/us-cart-7.hospital.example"
User-Password = "not-kept"
NAS-IP-Address = {manager}
NAS-Identifier = "sw-echo-1"
NAS-Port-Type = Ethernet
NAS-Port-Id = "GigabitEthernet1/0/12"
Calling-Station-Id = "00-09-FB-12-34-56"
"""
SESSION = """User-Name = "jane.doe"
Acct-Status-Type = Start
Acct-Session-Id = "a1"
NAS-IP-Address = {manager}
NAS-Identifier = "wlc-1"
NAS-Port-Type = Wireless-802.11
Called-Station-Id = "02-11-22-33-44-50:Clinic-IoT"
Calling-Station-Id = "0009.fb12.3457"
Framed-IP-Address = 10.77.0.50
"""


@needs("freeradius", "radclient")
def test_radius_names_devices_behind_a_switch(cable: Cable, tmp_path: Path) -> None:
    (tmp_path / "radiusd.conf").write_text(
        RADIUS_CONFIGURATION.format(folder=tmp_path, manager=MANAGER, device=DEVICE)
    )
    for name, text in (("admission", ADMISSION), ("session", SESSION)):
        (tmp_path / name).write_text(text.format(manager=MANAGER))
    cable.device("freeradius", "-f", "-d", str(tmp_path), "-n", "radiusd", "-lstdout")
    with cable.overheard() as capture:
        ask = ("radclient", "-x", "-r1", "-t1", "-f")
        cable.until(
            *ask, str(tmp_path / "admission"), f"{DEVICE}:1812", "auth", "not-a-secret", says="Access-Accept"
        )
        cable.until(
            *ask,
            str(tmp_path / "session"),
            f"{DEVICE}:1813",
            "acct",
            "not-a-secret",
            says="Accounting-Response",
        )
    known = {device.macs: device for device in study_all(capture)}
    cart = known["00:09:fb:12:34:56",]
    assert "us-cart-7.hospital.example" in cart.names
    assert cart.managed is True
    heard = {(e.field, e.value) for e in cart.ledger}
    assert {("radius.nas", "sw-echo-1"), ("radius.nas_port_id", "GigabitEthernet1/0/12")} <= heard
    wireless = known["00:09:fb:12:34:57",]
    heard = {(e.field, e.value) for e in wireless.ledger}
    assert {("radius.ssid", "Clinic-IoT"), ("radius.access_point", "02:11:22:33:44:50")} <= heard
    assert wireless.ips == ("10.77.0.50",)
    assert not [e for device in known.values() for e in device.ledger if "doe" in e.value.lower()]
    server = next(d for d in known.values() if DEVICE in d.ips)
    assert server.category == "server"


def study_all(capture: Path) -> tuple[Device, ...]:
    """Return all devices of a capture, also those without an address."""
    return tuple(study([capture]).devices)


DHCLIENT = """send host-name "us-cart-9";
send vendor-class-identifier "Philips EPIQ";
request subnet-mask, routers;
"""


@needs("dnsmasq", "udhcpc", "dhclient", "dhcpcd")
def test_three_dhcp_clients(cable: Cable, tmp_path: Path) -> None:
    cable.device(
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=port"),
        *("--dhcp-range=10.77.0.100,10.77.0.150,255.255.255.0,1h", "--dhcp-authoritative", "--no-ping"),
        *(f"--dhcp-leasefile={tmp_path / 'leases'}", f"--pid-file={tmp_path / 'dnsmasq.pid'}", "--user=root"),
    )
    (tmp_path / "dhclient.conf").write_text(DHCLIENT)
    (tmp_path / "dhcpcd.conf").write_text("hostname ws-echo-4\nnohook resolv.conf\nnoarp\n")
    for number in (1, 2, 3):
        address = f"02:09:fb:00:00:0{number}"
        cable.manager(
            *("ip", "link", "add", f"c{number}", "link", "port", "address", address),
            *("type", "macvlan", "mode", "bridge"),
        )
        cable.manager("ip", "link", "set", f"c{number}", "up")
    lease = ("-lf", str(tmp_path / "lease"), "-pf", str(tmp_path / "dhclient.pid"))
    with cable.overheard() as capture:
        cable.until(
            *("udhcpc", "-i", "c1", "-n", "-q", "-t", "3", "-T", "1", "-s", "/bin/true"),
            *("-x", "hostname:PUMP-4711"),
            says="obtained",
        )
        cable.until(
            *(
                "dhclient",
                "-1",
                "-v",
                "-sf",
                "/bin/true",
                "-cf",
                str(tmp_path / "dhclient.conf"),
                *lease,
                "c2",
            ),
            says="bound to",
        )
        cable.until(
            *(
                "dhcpcd",
                "-4",
                "-1",
                "-B",
                "-t",
                "8",
                "-f",
                str(tmp_path / "dhcpcd.conf"),
                "-c",
                "/bin/true",
                "c3",
            ),
            says="leased",
        )
        cable.manager("kill", (tmp_path / "dhclient.pid").read_text().strip())
    known = {device.macs: device for device in study_all(capture)}
    pump, cart, station = (known[f"02:09:fb:00:00:0{number}",] for number in (1, 2, 3))
    assert ("PUMP-4711" in pump.names, "us-cart-9" in cart.names, "ws-echo-4" in station.names) == (True,) * 3
    assert (pump.os, station.os) == ("Embedded Linux", "Linux")
    assert ("dhcp.vendor_class", "Philips EPIQ") in {(e.field, e.value) for e in cart.ledger}
    assert all(len(device.ips) == 1 for device in (pump, cart, station))
    server = next(device for device in known.values() if DEVICE in device.ips)
    assert ("dhcp.role", "server") in {(e.field, e.value) for e in server.ledger}
