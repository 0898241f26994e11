"""Computers of staff: names, log-ons to the domain, files, browsing; phones of people."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from medwarden.simulation import calendar, wire
from medwarden.simulation.device import Device
from medwarden.simulation.ends import MILLISECOND
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Datagrams, Stream
from medwarden.simulation.voices import dns, domain, names, smb
from medwarden.simulation.voices.offices import http_request, http_response

_SITES = (
    "www.google.com",
    "outlook.office365.com",
    "login.microsoftonline.com",
    "teams.microsoft.com",
    "www.uptodate.com",
    "pubmed.ncbi.nlm.nih.gov",
    "www.wikipedia.org",
    "www.nejm.org",
    "cdn.jsdelivr.net",
    "fonts.gstatic.com",
    "www.youtube.com",
    "edge.microsoft.com",
    "www.who.int",
    "www.bbc.co.uk",
    "weather.com",
    "www.linkedin.com",
)
_TELEMETRY = (
    "v10.events.data.microsoft.com",
    "settings-win.data.microsoft.com",
    "ctldl.windowsupdate.com",
    "slscr.update.microsoft.com",
)
_MANAGED = (
    "ts01-b.cloudsink.net",
    "winatp-gw-neu.microsoft.com",
    "us-v20.events.data.microsoft.com",
    "manage.microsoft.com",
)
_APPLE = (
    "gateway.icloud.com",
    "api.push.apple.com",
    "configuration.apple.com",
    "mesu.apple.com",
    "gsp-ssl.ls.apple.com",
)
_ANDROID = (
    "connectivitycheck.gstatic.com",
    "play.googleapis.com",
    "mtalk.google.com",
    "android.clients.google.com",
)
_SAMSUNG = (
    "dir-apis.samsungdm.com",
    "fota-cloud-dn.ospserver.net",
    "api.account.samsung.com",
    "gsl.samsunggsl.com",
)
"""Samsung, Knox documentation, firewall exceptions: device management, firmware, account and licences."""
_UPDATES_OF_MAKERS = {
    "Dell": ("downloads.dell.com", "dellupdater.dell.com"),
    "HP": ("hpia.hpcloud.hp.com", "ftp.ext.hp.com"),
    "Lenovo": ("download.lenovo.com", "filedownload.lenovo.com"),
}
"""What makers' update programs on their computers ask for: Dell Command | Update, HP Image Assistant and
Lenovo System Update, as their guides list the names to let through."""
_PEOPLE = (
    "graph.facebook.com",
    "i.instagram.com",
    "web.whatsapp.com",
    "api.spotify.com",
    "www.youtube.com",
    "app-measurement.com",
)
_OLD = {
    "windows_xp": ("Windows 2002 Service Pack 3 2600", "Windows 2002 5.1"),
    "windows_2003": ("Windows Server 2003 3790 Service Pack 2", "Windows Server 2003 5.2"),
}


def windows_chatter(scene: Scene, me: Device) -> Iterator[int]:
    """Register NetBIOS names, announce the host and ask for names that no longer exist."""
    rng = scene.rng(me, "chatter")
    at = scene.first(me, rng, calendar.after(rng, scene.start, 240))
    group = scene.site.naming.group
    yield at
    ident = rng.getrandbits(16)
    first = True
    while at < scene.stop:
        if me.present(at) and me.name:
            ident = ident + 1 & 0xFFFF
            ip = me.end(at).ip
            if first or rng.random() < 0.2:
                for suffix in (0x00, 0x20):
                    scene.broadcast(me, 137, names.registration(ident, me.name, suffix, ip), at, rng)
                    at += 5 * MILLISECOND
                first = False
            elif rng.random() < 0.35:
                major, minor = (int(part) for part in (me.system.build or "6.1.0").split(".")[:2])
                server = "server" in me.system.id or me.system.id == "windows_2003"
                said = names.host_announcement(ident, me.name, group, ip, (major, minor), server)
                scene.broadcast(me, 138, said, at, rng)
            elif rng.random() < 0.5 and me.system.chatter == "windows":
                asked = dns.question(ident, rng.choice(("wpad", "isatap", "oldprint01")), flags=0)
                scene.multicast(me, wire.address("224.0.0.252"), 5355, asked, at, rng, ttl=1)
            elif me.system.chatter == "windows":
                wanted = names.ssdp_search("urn:schemas-upnp-org:device:InternetGatewayDevice:1")
                scene.multicast(me, wire.address("239.255.255.250"), 1900, wanted, at, rng, ttl=2)
            else:
                scene.broadcast(me, 137, names.name_query(ident, "WPAD"), at, rng)
        at = calendar.after(rng, at, 420, scene.day.ward)
        yield at


def domain_member(scene: Scene, me: Device) -> Iterator[int]:
    """Find the controller, take Kerberos tickets and read policies from it."""
    rng = scene.rng(me, "domain")
    at = scene.first(me, rng, calendar.after(rng, scene.start, 900, scene.day.office), 40)
    yield at
    while at < scene.stop:
        if me.present(at):
            log_on(scene, me, at, rng)
        at = calendar.after(rng, at, 4200, scene.day.ward)
        yield at


def log_on(scene: Scene, me: Device, at: int, rng: Random) -> int:
    """Log a machine on to the domain; returns when it was done."""
    naming, controllers = scene.site.naming, scene.site.of("domain_controller")
    controller = controllers[me.number % len(controllers)] if controllers else scene.site.roles.get("dns")
    if controller is None or controller is me or not me.name:
        return at
    far, near, old = controller.end(at), me.end(at), me.system.chatter == "windows_old"
    at = scene.look_up(me, f"_ldap._tcp.dc._msdcs.{naming.domain}", at, rng, dns.SRV)
    ping = Datagrams(scene.ear, rng, near, far, 389, at, service="ldap")
    host = scene.site.fqdn(controller)
    answer = domain.netlogon_answer(
        1, naming.domain, host, naming.group, "Default-First-Site-Name", bytes(range(16))
    )
    ping.ask(domain.netlogon_ping(1, naming.domain, me.name), answer)
    at = ping.end() + MILLISECOND
    realm, account = naming.domain.upper(), f"{me.name.upper()}$"
    for preauth in (False, True):
        stream = Stream(scene.ear, rng, near, far, 88, at, service="krb_tcp").connect()
        stream.say(True, domain.as_req(rng, account, realm, me.name.upper(), preauth, old))
        reply = domain.as_rep(rng, account, realm) if preauth else domain.preauth_required(realm, at)
        stream.say(False, reply, stream.path.rtt + MILLISECOND)
        stream.note(
            "kerberos",
            at,
            {
                "request_type": "AS",
                "client": f"{account}/{realm}",
                "service": f"krbtgt/{realm}",
                "success": preauth,
                "error_msg": "" if preauth else "KDC_ERR_PREAUTH_REQUIRED",
                "cipher": "aes256-cts-hmac-sha1-96",
            },
        )
        at = stream.close() + 2 * MILLISECOND
    stream = Stream(scene.ear, rng, near, far, 389, at, service="ldap_tcp").connect()
    stream.say(True, domain.root_search(1))
    stream.say(False, domain.root_answer(1, naming.domain, host), stream.path.rtt + MILLISECOND)
    at = stream.close()
    return files(scene, me, controller, at + MILLISECOND, rng, "SYSVOL", (("Policies\\gpt.ini", 60),))


def files(
    scene: Scene,
    me: Device,
    server: Device,
    at: int,
    rng: Random,
    share: str,
    reads: tuple[tuple[str, int], ...] = (),
    writes: tuple[tuple[str, int], ...] = (),
    user: str = "",
) -> int:
    """Open a share of a server, read and write files there; returns when it was done."""
    stream = Stream(scene.ear, rng, me.end(at), server.end(at), 445, at, service="smb").connect()
    naming, host = scene.site.naming, server.name.upper()
    user = user or f"{me.name}$"
    challenge = smb.ntlm_challenge(rng, server.system.build, naming.group, host, naming.domain)
    hello = smb.ntlm_negotiate(me.system.build)
    proof = smb.ntlm_authenticate(rng, me.system.build, naming.group, user, me.name.upper())
    stream.note(
        "ntlm",
        at,
        {
            "username": user,
            "hostname": me.name.upper(),
            "domainname": naming.group,
            "success": True,
            "server_nb_computer_name": host,
            "server_dns_computer_name": scene.site.fqdn(server),
        },
    )
    if me.system.id in _OLD or server.system.id in _OLD:
        stream.exchange(_old_session(me, server, at, rng, (hello, challenge, proof)))
        return stream.close()
    session, tree, handle = rng.getrandbits(48), 1, rng.randbytes(16)
    path = f"\\\\{host}\\{share}"
    turns = (
        (True, smb.negotiate2(rng, rng.randbytes(16))),
        (False, smb.negotiated2(at, rng.randbytes(16))),
        (True, smb.setup2(hello, 1, first=True)),
        (False, smb.set_up2(challenge, 1, session, more=True)),
        (True, smb.setup2(proof, 2, session, first=False)),
        (False, smb.set_up2(b"", 2, session, more=False)),
        (True, smb.tree2(path, 3, session)),
        (False, smb.treed2(3, session, tree)),
    )
    stream.exchange(turns)
    stream.note("smb_mapping", at, {"path": path, "share_type": "DISK"})
    number = 4
    for reading, wanted in ((True, reads), (False, writes)):
        for name, size in wanted:
            _one_file(stream, name, size, reading, number, (session, tree, handle), rng)
            number += 3
    stream.settle()
    return stream.close()


def _old_session(
    me: Device, server: Device, at: int, rng: Random, tokens: tuple[bytes, bytes, bytes]
) -> tuple[tuple[bool, bytes], ...]:
    """Return the turns of a log-on by SMB 1, where one side knows nothing newer."""
    mine = _OLD.get(
        me.system.id, ("Windows 7 Professional 7601 Service Pack 1", "Windows 7 Professional 6.1")
    )
    theirs = _OLD.get(
        server.system.id, ("Windows Server 2016 Standard 14393", "Windows Server 2016 Standard 6.3")
    )
    hello, challenge, proof = tokens
    return (
        (True, smb.negotiate1()),
        (False, smb.negotiated1(at, rng.randbytes(16))),
        (True, smb.setup1(hello, *mine, 1, 0, first=True)),
        (False, smb.set_up1(challenge, *theirs, 1, 2048, more=True)),
        (True, smb.setup1(proof, *mine, 2, 2048, first=False)),
        (False, smb.set_up1(b"", *theirs, 2, 2048, more=False)),
    )


def _one_file(
    stream: Stream, name: str, size: int, reading: bool, number: int, ids: tuple[int, int, bytes], rng: Random
) -> None:
    session, tree, handle = ids
    stream.exchange(
        (
            (True, smb.create2(name, number, session, tree)),
            (False, smb.created2(number, session, tree, stream.at, size, handle)),
        )
    )
    if reading:
        stream.say(True, smb.read2(number + 1, session, tree, handle, 0, size), stream.path.rtt)
        stream.say(
            False, smb.data2(number + 1, session, tree, rng.randbytes(size)), stream.path.rtt + MILLISECOND
        )
    else:
        stream.say(
            True, smb.write2(number + 1, session, tree, handle, 0, rng.randbytes(size)), stream.path.rtt
        )
        stream.say(False, smb.written2(number + 1, session, tree, size), stream.path.rtt + MILLISECOND)
    stream.note("smb_files", stream.at, {"action": "SMB::FILE_OPEN", "name": name, "size": size})
    stream.exchange(
        (
            (True, smb.close2(number + 2, session, tree, handle)),
            (False, smb.closed2(number + 2, session, tree)),
        )
    )


def desk(scene: Scene, me: Device) -> Iterator[int]:
    """Work at a computer: the health record, the web, files, and what Windows does by itself."""
    rng = scene.rng(me, "desk")
    at = scene.first(me, rng, calendar.after(rng, scene.start, 420, scene.day.office))
    yield at
    if me.arrives > scene.start and at < scene.stop and me.present(at):
        connected(scene, me, at, rng)
        at = calendar.after(rng, at, 420, scene.day.office)
        yield at
    while at < scene.stop:
        if me.present(at):
            _one_task(scene, me, at, rng)
        at = calendar.after(rng, at, 110, scene.day.office)
        yield at


def _one_task(scene: Scene, me: Device, at: int, rng: Random) -> None:
    draw = rng.random()
    ehr, file_server = scene.site.roles.get("ehr"), scene.site.roles.get("files")
    if draw < 0.45 and ehr is not None:
        host = scene.site.fqdn(ehr)
        at = scene.look_up(me, host, at, rng)
        turns = [(rng.randrange(300, 900), rng.randrange(500, 4000)) for _ in range(rng.randrange(1, 4))]
        scene.tls(me, ehr.end(at), host, at, rng, turns=turns, agent_is_browser=True)
    elif draw < 0.55 and file_server is not None and me.system.build:
        files(scene, me, file_server, at, rng, "groups", (("ward\\plan.xlsx", rng.randrange(400, 9000)),))
    elif draw < 0.8:
        host = rng.choice(_SITES)
        at = scene.look_up(me, host, at, rng)
        scene.tls(
            me,
            scene.outside(host),
            host,
            at,
            rng,
            turns=[(600, rng.randrange(800, 9000))],
            agent_is_browser=True,
        )
    elif draw < 0.9 and me.managed and me.system.id != "macos":
        scene.cloud(me, rng.choice(_MANAGED), at, rng, ((900, 400),))
    elif me.system.id == "macos":
        scene.cloud(me, rng.choice(_APPLE), at, rng, ((700, 900),))
    elif rng.random() < 0.2 and me.model.vendor in _UPDATES_OF_MAKERS:
        scene.cloud(me, rng.choice(_UPDATES_OF_MAKERS[me.model.vendor]), at, rng, ((900, 6000),))
    elif me.system.chatter == "windows_old" or rng.random() < 0.3:
        connected(scene, me, at, rng)
    else:
        scene.cloud(me, rng.choice(_TELEMETRY), at, rng, ((1500, 500),))


def connected(scene: Scene, me: Device, at: int, rng: Random) -> None:
    """Find out whether there is an Internet, as systems do as soon as they have an address.

    Windows (network connectivity status indicator), macOS and iOS (captive network assistant) and Android
    (captive portal check) each ask for a page of their maker in clear.
    """
    if me.system.chatter == "apple":
        host, path, agent, body = (
            "captive.apple.com",
            "/hotspot-detect.html",
            "CaptiveNetworkSupport-443.120.2",
            b"Success",
        )
    elif me.system.chatter == "android":
        host, path, agent, body = "connectivitycheck.gstatic.com", "/generate_204", me.system.agent, b""
    elif me.system.chatter.startswith("windows"):
        old = me.system.build.startswith("6.")
        host = "www.msftncsi.com" if old else "www.msftconnecttest.com"
        path, agent, body = "/ncsi.txt", "Microsoft NCSI", b"Microsoft NCSI"
    else:
        return
    at = scene.look_up(me, host, at, rng)
    status = "200 OK" if body else "204 No Content"
    scene.web(
        me, scene.outside(host), host, at, rng,
        path=path, agent=agent, body=body, status=status, kind="text/plain",
    )  # fmt: skip


def updates(scene: Scene, me: Device) -> Iterator[int]:
    """Ask the update server of the site for patches (MS-WUSP)."""
    rng = scene.rng(me, "updates")
    server = scene.site.roles.get("files")
    at = calendar.after(rng, scene.start, 9000, scene.day.ward)
    yield at
    while at < scene.stop and server is not None and server is not me:
        if me.present(at):
            host = f"wsus.{scene.site.naming.domain}"
            stream = Stream(scene.ear, rng, me.end(at), server.end(at), 8530, at, service="http").connect()
            build = me.system.build.rpartition(".")[2]
            head = {
                "User-Agent": f"Windows-Update-Agent/10.0.{build}.1 Client-Protocol/2.50",
                "Content-Type": "text/xml; charset=utf-8",
            }
            stream.say(
                True,
                http_request(
                    "POST", "/ClientWebService/client.asmx", f"{host}:8530", head, b"<s:Envelope/>" * 20
                ),
            )
            stream.say(
                False,
                http_response("200 OK", "Microsoft-IIS/10.0", "text/xml", b"<s:Envelope/>" * 60),
                20 * MILLISECOND,
            )
            stream.settle()
            stream.close()
        at = calendar.after(rng, at, 20_000, scene.day.ward)
        yield at


def people_phone(scene: Scene, me: Device) -> Iterator[int]:
    """Carry a phone or tablet through the hospital: push services, applications, multicast DNS."""
    rng = scene.rng(me, "phone")
    apple = me.model.vendor == "Apple"
    own = _APPLE if apple else _ANDROID
    at = scene.first(me, rng, calendar.after(rng, scene.start, 200, scene.day.ward))
    yield at
    if at < scene.stop and me.present(at):
        connected(scene, me, at, rng)
    while at < scene.stop:
        if me.present(at):
            draw = rng.random()
            if draw < 0.15 and apple:
                said = dns.question(
                    0,
                    rng.choice(("_companion-link._tcp.local", "_airplay._tcp.local", "_homekit._tcp.local")),
                    dns.PTR,
                    flags=0,
                )
                scene.multicast(me, wire.address("224.0.0.251"), 5353, said, at, rng)
            elif draw < 0.2 and not apple:
                connected(scene, me, at, rng)
            elif draw < 0.6:
                scene.cloud(me, rng.choice(own), at, rng, ((700, 900),))
            elif draw < 0.65 and me.model.vendor == "Samsung":
                scene.cloud(me, rng.choice(_SAMSUNG), at, rng, ((700, 900),))
            elif me.category == "smartphone":
                scene.cloud(me, rng.choice(_PEOPLE), at, rng, ((900, rng.randrange(900, 12_000)),))
            else:
                ehr = scene.site.roles.get("ehr")
                if ehr is not None:
                    scene.tls(me, ehr.end(at), scene.site.fqdn(ehr), at, rng, turns=((500, 1800),))
        at = calendar.after(rng, at, 120, scene.day.ward)
        yield at


def thin(scene: Scene, me: Device) -> Iterator[int]:
    """Show a desktop that runs on a server: a long session over ICA (TCP 2598)."""
    rng = scene.rng(me, "thin")
    server = scene.site.roles.get("files")
    at = scene.first(me, rng, calendar.after(rng, scene.start, 600, scene.day.ward), 120)
    yield at
    while at < min(scene.stop, me.leaves) and server is not None:
        far = server.end(at)
        stream = Stream(scene.ear, rng, me.end(at), far, 2598, at).connect()
        stream.say(True, b"\x1aCGP/01" + rng.randbytes(40))
        stream.say(False, b"\x1aCGP/01" + rng.randbytes(60), stream.path.rtt)
        for _ in range(rng.randrange(10, 60)):
            at = calendar.after(rng, stream.at, 25, scene.day.ward)
            yield at
            stream.leap(at)
            stream.say(True, rng.randbytes(rng.randrange(20, 90)))
            stream.say(False, rng.randbytes(rng.randrange(60, 900)), stream.path.rtt)
            stream.settle()
        stream.close()
        at = calendar.after(rng, stream.at, 1200, scene.day.ward)
        yield at


def apple_names(scene: Scene, me: Device) -> Iterator[int]:
    """Tell the own name and model over multicast DNS, as macOS does where something is shared."""
    rng = scene.rng(me, "bonjour")
    at = scene.first(me, rng, calendar.after(rng, scene.start, 300, scene.day.ward))
    yield at
    while at < scene.stop:
        if me.present(at) and me.name:
            host = me.name.replace(" ", "-")
            texts = (f"model={me.model.name}", "osxvers=22")
            answers, additional = dns.service_records(
                me.name, "_device-info._tcp", host, 0, texts, me.end(at).ip
            )
            said = dns.announcement(answers, additional)
            scene.multicast(me, wire.address("224.0.0.251"), 5353, said, at, rng)
        at = calendar.after(rng, at, 900, scene.day.ward)
        yield at
