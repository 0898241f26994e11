"""A ventilator that offers its data by IEEE 11073 SDC (sdc11073), in clear as on a bench."""

from __future__ import annotations

import decimal
import sys
import time
import uuid

from sdc11073.location import SdcLocation
from sdc11073.mdib import ProviderMdib
from sdc11073.provider import SdcProvider
from sdc11073.wsdiscovery import WSDiscovery
from sdc11073.xml_types import pm_types
from sdc11073.xml_types.dpws_types import ThisDeviceType, ThisModelType

MDIB = """<?xml version="1.0" encoding="UTF-8"?>
<msg:GetMdibResponse xmlns:msg="http://standards.ieee.org/downloads/11073/11073-10207-2017/message"
  xmlns:pm="http://standards.ieee.org/downloads/11073/11073-10207-2017/participant"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" MdibVersion="0" SequenceId="urn:uuid:{sequence}">
 <msg:Mdib MdibVersion="0" SequenceId="urn:uuid:{sequence}">
  <pm:MdDescription DescriptionVersion="0">
   <pm:Mds Handle="mds0" DescriptorVersion="0" SafetyClassification="MedB">
    <pm:Type Code="70001"><pm:ConceptDescription Lang="en">Ventilator</pm:ConceptDescription></pm:Type>
    <pm:MetaData><pm:Manufacturer>Draeger</pm:Manufacturer><pm:ModelName>Evita V600</pm:ModelName>
     <pm:SerialNumber>ASKE-0042</pm:SerialNumber></pm:MetaData>
    <pm:SystemContext Handle="sc0" DescriptorVersion="0">
     <pm:PatientContext Handle="pc0" DescriptorVersion="0"/><pm:LocationContext Handle="lc0" DescriptorVersion="0"/>
    </pm:SystemContext>
    <pm:Vmd Handle="vmd0" DescriptorVersion="0">
     <pm:Channel Handle="ch0" DescriptorVersion="0">
      <pm:Metric xsi:type="pm:NumericMetricDescriptor" Handle="rate" DescriptorVersion="0"
       MetricCategory="Msrmt" MetricAvailability="Cont" Resolution="1">
       <pm:Type Code="151562"/><pm:Unit Code="264928"/>
      </pm:Metric>
     </pm:Channel>
    </pm:Vmd>
   </pm:Mds>
  </pm:MdDescription>
  <pm:MdState StateVersion="0">
   <pm:State xsi:type="pm:MdsState" DescriptorHandle="mds0" StateVersion="0" ActivationState="On"/>
   <pm:State xsi:type="pm:SystemContextState" DescriptorHandle="sc0" StateVersion="0"/>
   <pm:State xsi:type="pm:VmdState" DescriptorHandle="vmd0" StateVersion="0" ActivationState="On"/>
   <pm:State xsi:type="pm:ChannelState" DescriptorHandle="ch0" StateVersion="0" ActivationState="On"/>
   <pm:State xsi:type="pm:NumericMetricState" DescriptorHandle="rate" StateVersion="0" ActivationState="On"/>
  </pm:MdState>
 </msg:Mdib>
</msg:GetMdibResponse>
"""


def main(address: str) -> None:
    """Publish and change the breathing rate every second."""
    discovery = WSDiscovery(address)
    discovery.start()
    mdib = ProviderMdib.from_string(MDIB.format(sequence=uuid.uuid4()).encode())
    provider = SdcProvider(
        ws_discovery=discovery,
        this_model=ThisModelType(
            manufacturer="Draeger", manufacturer_url="www.draeger.example", model_name="Evita V600",
            model_number="8622500", model_url="www.draeger.example/v600", presentation_url="www.draeger.example",
        ),
        this_device=ThisDeviceType(friendly_name="Evita bed 3", firmware_version="2.51", serial_number="ASKE-0042"),
        device_mdib_container=mdib,
        epr=uuid.uuid5(uuid.NAMESPACE_DNS, "evita.ward.example"),
    )  # fmt: skip
    provider.start_all(start_rtsample_loop=False)
    provider.set_location(
        SdcLocation(fac="EGH", poc="ICU", bed="3"), [pm_types.InstanceIdentifier("Validator")]
    )
    for second in range(120):
        with mdib.metric_state_transaction() as change:
            state = change.get_state("rate")
            if state.MetricValue is None:
                state.mk_metric_value()
            state.MetricValue.Value = decimal.Decimal(12 + second % 4)
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1])
