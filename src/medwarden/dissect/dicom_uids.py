"""Names of the SOP classes and transfer syntaxes of DICOM, and the service each SOP class belongs to.

From the registry of unique identifiers, DICOM PS3.6 annex A, table A-1, retired ones included
(old devices still speak them). Identifiers are written without their common root.
"""

from __future__ import annotations

ROOT = "1.2.840.10008."

_SOP_CLASSES = """\
1.1 Verification SOP Class
1.3.10 Media Storage Directory Storage
1.9 Basic Study Content Notification SOP Class
1.20.1 Storage Commitment Push Model SOP Class
1.20.2 Storage Commitment Pull Model SOP Class
1.40 Procedural Event Logging SOP Class
1.42 Substance Administration Logging SOP Class
3.1.2.1.1 Detached Patient Management SOP Class
3.1.2.1.4 Detached Patient Management Meta SOP Class
3.1.2.2.1 Detached Visit Management SOP Class
3.1.2.3.1 Detached Study Management SOP Class
3.1.2.3.2 Study Component Management SOP Class
3.1.2.3.3 Modality Performed Procedure Step SOP Class
3.1.2.3.4 Modality Performed Procedure Step Retrieve SOP Class
3.1.2.3.5 Modality Performed Procedure Step Notification SOP Class
3.1.2.5.1 Detached Results Management SOP Class
3.1.2.5.4 Detached Results Management Meta SOP Class
3.1.2.5.5 Detached Study Management Meta SOP Class
3.1.2.6.1 Detached Interpretation Management SOP Class
5.1.1.1 Basic Film Session SOP Class
5.1.1.2 Basic Film Box SOP Class
5.1.1.4 Basic Grayscale Image Box SOP Class
5.1.1.4.1 Basic Color Image Box SOP Class
5.1.1.4.2 Referenced Image Box SOP Class
5.1.1.9 Basic Grayscale Print Management Meta SOP Class
5.1.1.9.1 Referenced Grayscale Print Management Meta SOP Class
5.1.1.14 Print Job SOP Class
5.1.1.15 Basic Annotation Box SOP Class
5.1.1.16 Printer SOP Class
5.1.1.16.376 Printer Configuration Retrieval SOP Class
5.1.1.18 Basic Color Print Management Meta SOP Class
5.1.1.18.1 Referenced Color Print Management Meta SOP Class
5.1.1.22 VOI LUT Box SOP Class
5.1.1.23 Presentation LUT SOP Class
5.1.1.24 Image Overlay Box SOP Class
5.1.1.24.1 Basic Print Image Overlay Box SOP Class
5.1.1.26 Print Queue Management SOP Class
5.1.1.27 Stored Print Storage SOP Class
5.1.1.29 Hardcopy Grayscale Image Storage SOP Class
5.1.1.30 Hardcopy Color Image Storage SOP Class
5.1.1.31 Pull Print Request SOP Class
5.1.1.32 Pull Stored Print Management Meta SOP Class
5.1.1.33 Media Creation Management SOP Class UID
5.1.1.40 Display System SOP Class
5.1.4.1.1.1 Computed Radiography Image Storage
5.1.4.1.1.1.1 Digital X-Ray Image Storage - For Presentation
5.1.4.1.1.1.1.1 Digital X-Ray Image Storage - For Processing
5.1.4.1.1.1.2 Digital Mammography X-Ray Image Storage - For Presentation
5.1.4.1.1.1.2.1 Digital Mammography X-Ray Image Storage - For Processing
5.1.4.1.1.1.3 Digital Intra-Oral X-Ray Image Storage - For Presentation
5.1.4.1.1.1.3.1 Digital Intra-Oral X-Ray Image Storage - For Processing
5.1.4.1.1.2 CT Image Storage
5.1.4.1.1.2.1 Enhanced CT Image Storage
5.1.4.1.1.2.2 Legacy Converted Enhanced CT Image Storage
5.1.4.1.1.3 Ultrasound Multi-frame Image Storage
5.1.4.1.1.3.1 Ultrasound Multi-frame Image Storage
5.1.4.1.1.4 MR Image Storage
5.1.4.1.1.4.1 Enhanced MR Image Storage
5.1.4.1.1.4.2 MR Spectroscopy Storage
5.1.4.1.1.4.3 Enhanced MR Color Image Storage
5.1.4.1.1.4.4 Legacy Converted Enhanced MR Image Storage
5.1.4.1.1.5 Nuclear Medicine Image Storage
5.1.4.1.1.6 Ultrasound Image Storage
5.1.4.1.1.6.1 Ultrasound Image Storage
5.1.4.1.1.6.2 Enhanced US Volume Storage
5.1.4.1.1.6.3 Photoacoustic Image Storage
5.1.4.1.1.7 Secondary Capture Image Storage
5.1.4.1.1.7.1 Multi-frame Single Bit Secondary Capture Image Storage
5.1.4.1.1.7.2 Multi-frame Grayscale Byte Secondary Capture Image Storage
5.1.4.1.1.7.3 Multi-frame Grayscale Word Secondary Capture Image Storage
5.1.4.1.1.7.4 Multi-frame True Color Secondary Capture Image Storage
5.1.4.1.1.8 Standalone Overlay Storage
5.1.4.1.1.9 Standalone Curve Storage
5.1.4.1.1.9.1 Waveform Storage - Trial
5.1.4.1.1.9.1.1 12-lead ECG Waveform Storage
5.1.4.1.1.9.1.2 General ECG Waveform Storage
5.1.4.1.1.9.1.3 Ambulatory ECG Waveform Storage
5.1.4.1.1.9.1.4 General 32-bit ECG Waveform Storage
5.1.4.1.1.9.2.1 Hemodynamic Waveform Storage
5.1.4.1.1.9.3.1 Cardiac Electrophysiology Waveform Storage
5.1.4.1.1.9.4.1 Basic Voice Audio Waveform Storage
5.1.4.1.1.9.4.2 General Audio Waveform Storage
5.1.4.1.1.9.5.1 Arterial Pulse Waveform Storage
5.1.4.1.1.9.6.1 Respiratory Waveform Storage
5.1.4.1.1.9.6.2 Multi-channel Respiratory Waveform Storage
5.1.4.1.1.9.7.1 Routine Scalp Electroencephalogram Waveform Storage
5.1.4.1.1.9.7.2 Electromyogram Waveform Storage
5.1.4.1.1.9.7.3 Electrooculogram Waveform Storage
5.1.4.1.1.9.7.4 Sleep Electroencephalogram Waveform Storage
5.1.4.1.1.9.8.1 Body Position Waveform Storage
5.1.4.1.1.10 Standalone Modality LUT Storage
5.1.4.1.1.11 Standalone VOI LUT Storage
5.1.4.1.1.11.1 Grayscale Softcopy Presentation State Storage
5.1.4.1.1.11.2 Color Softcopy Presentation State Storage
5.1.4.1.1.11.3 Pseudo-Color Softcopy Presentation State Storage
5.1.4.1.1.11.4 Blending Softcopy Presentation State Storage
5.1.4.1.1.11.5 XA/XRF Grayscale Softcopy Presentation State Storage
5.1.4.1.1.11.6 Grayscale Planar MPR Volumetric Presentation State Storage
5.1.4.1.1.11.7 Compositing Planar MPR Volumetric Presentation State Storage
5.1.4.1.1.11.8 Advanced Blending Presentation State Storage
5.1.4.1.1.11.9 Volume Rendering Volumetric Presentation State Storage
5.1.4.1.1.11.10 Segmented Volume Rendering Volumetric Presentation State Storage
5.1.4.1.1.11.11 Multiple Volume Rendering Volumetric Presentation State Storage
5.1.4.1.1.11.12 Variable Modality LUT Softcopy Presentation State Storage
5.1.4.1.1.12.1 X-Ray Angiographic Image Storage
5.1.4.1.1.12.1.1 Enhanced XA Image Storage
5.1.4.1.1.12.2 X-Ray Radiofluoroscopic Image Storage
5.1.4.1.1.12.2.1 Enhanced XRF Image Storage
5.1.4.1.1.12.3 X-Ray Angiographic Bi-Plane Image Storage
5.1.4.1.1.13.1.1 X-Ray 3D Angiographic Image Storage
5.1.4.1.1.13.1.2 X-Ray 3D Craniofacial Image Storage
5.1.4.1.1.13.1.3 Breast Tomosynthesis Image Storage
5.1.4.1.1.13.1.4 Breast Projection X-Ray Image Storage - For Presentation
5.1.4.1.1.13.1.5 Breast Projection X-Ray Image Storage - For Processing
5.1.4.1.1.14.1 Intravascular Optical Coherence Tomography Image Storage - For Presentation
5.1.4.1.1.14.2 Intravascular Optical Coherence Tomography Image Storage - For Processing
5.1.4.1.1.20 Nuclear Medicine Image Storage
5.1.4.1.1.30 Parametric Map Storage
5.1.4.1.1.66 Raw Data Storage
5.1.4.1.1.66.1 Spatial Registration Storage
5.1.4.1.1.66.2 Spatial Fiducials Storage
5.1.4.1.1.66.3 Deformable Spatial Registration Storage
5.1.4.1.1.66.4 Segmentation Storage
5.1.4.1.1.66.5 Surface Segmentation Storage
5.1.4.1.1.66.6 Tractography Results Storage
5.1.4.1.1.67 Real World Value Mapping Storage
5.1.4.1.1.68.1 Surface Scan Mesh Storage
5.1.4.1.1.68.2 Surface Scan Point Cloud Storage
5.1.4.1.1.77.1 VL Image Storage - Trial
5.1.4.1.1.77.1.1 VL Endoscopic Image Storage
5.1.4.1.1.77.1.1.1 Video Endoscopic Image Storage
5.1.4.1.1.77.1.2 VL Microscopic Image Storage
5.1.4.1.1.77.1.2.1 Video Microscopic Image Storage
5.1.4.1.1.77.1.3 VL Slide-Coordinates Microscopic Image Storage
5.1.4.1.1.77.1.4 VL Photographic Image Storage
5.1.4.1.1.77.1.4.1 Video Photographic Image Storage
5.1.4.1.1.77.1.5.1 Ophthalmic Photography 8 Bit Image Storage
5.1.4.1.1.77.1.5.2 Ophthalmic Photography 16 Bit Image Storage
5.1.4.1.1.77.1.5.3 Stereometric Relationship Storage
5.1.4.1.1.77.1.5.4 Ophthalmic Tomography Image Storage
5.1.4.1.1.77.1.5.5 Wide Field Ophthalmic Photography Stereographic Projection Image Storage
5.1.4.1.1.77.1.5.6 Wide Field Ophthalmic Photography 3D Coordinates Image Storage
5.1.4.1.1.77.1.5.7 Ophthalmic Optical Coherence Tomography En Face Image Storage
5.1.4.1.1.77.1.5.8 Ophthalmic Optical Coherence Tomography B-scan Volume Analysis Storage
5.1.4.1.1.77.1.6 VL Whole Slide Microscopy Image Storage
5.1.4.1.1.77.1.7 Dermoscopic Photography Image Storage
5.1.4.1.1.77.1.8 Confocal Microscopy Image Storage
5.1.4.1.1.77.1.9 Confocal Microscopy Tiled Pyramidal Image Storage
5.1.4.1.1.77.2 VL Multi-frame Image Storage - Trial
5.1.4.1.1.78.1 Lensometry Measurements Storage
5.1.4.1.1.78.2 Autorefraction Measurements Storage
5.1.4.1.1.78.3 Keratometry Measurements Storage
5.1.4.1.1.78.4 Subjective Refraction Measurements Storage
5.1.4.1.1.78.5 Visual Acuity Measurements Storage
5.1.4.1.1.78.6 Spectacle Prescription Report Storage
5.1.4.1.1.78.7 Ophthalmic Axial Measurements Storage
5.1.4.1.1.78.8 Intraocular Lens Calculations Storage
5.1.4.1.1.79.1 Macular Grid Thickness and Volume Report Storage
5.1.4.1.1.80.1 Ophthalmic Visual Field Static Perimetry Measurements Storage
5.1.4.1.1.81.1 Ophthalmic Thickness Map Storage
5.1.4.1.1.82.1 Corneal Topography Map Storage
5.1.4.1.1.88.1 Text SR Storage - Trial
5.1.4.1.1.88.2 Audio SR Storage - Trial
5.1.4.1.1.88.3 Detail SR Storage - Trial
5.1.4.1.1.88.4 Comprehensive SR Storage - Trial
5.1.4.1.1.88.11 Basic Text SR Storage
5.1.4.1.1.88.22 Enhanced SR Storage
5.1.4.1.1.88.33 Comprehensive SR Storage
5.1.4.1.1.88.34 Comprehensive 3D SR Storage
5.1.4.1.1.88.35 Extensible SR Storage
5.1.4.1.1.88.40 Procedure Log Storage
5.1.4.1.1.88.50 Mammography CAD SR Storage
5.1.4.1.1.88.59 Key Object Selection Document Storage
5.1.4.1.1.88.65 Chest CAD SR Storage
5.1.4.1.1.88.67 X-Ray Radiation Dose SR Storage
5.1.4.1.1.88.68 Radiopharmaceutical Radiation Dose SR Storage
5.1.4.1.1.88.69 Colon CAD SR Storage
5.1.4.1.1.88.70 Implantation Plan SR Storage
5.1.4.1.1.88.71 Acquisition Context SR Storage
5.1.4.1.1.88.72 Simplified Adult Echo SR Storage
5.1.4.1.1.88.73 Patient Radiation Dose SR Storage
5.1.4.1.1.88.74 Planned Imaging Agent Administration SR Storage
5.1.4.1.1.88.75 Performed Imaging Agent Administration SR Storage
5.1.4.1.1.88.76 Enhanced X-Ray Radiation Dose SR Storage
5.1.4.1.1.88.77 Waveform Annotation SR Storage
5.1.4.1.1.90.1 Content Assessment Results Storage
5.1.4.1.1.91.1 Microscopy Bulk Simple Annotations Storage
5.1.4.1.1.104.1 Encapsulated PDF Storage
5.1.4.1.1.104.2 Encapsulated CDA Storage
5.1.4.1.1.104.3 Encapsulated STL Storage
5.1.4.1.1.104.4 Encapsulated OBJ Storage
5.1.4.1.1.104.5 Encapsulated MTL Storage
5.1.4.1.1.128 Positron Emission Tomography Image Storage
5.1.4.1.1.128.1 Legacy Converted Enhanced PET Image Storage
5.1.4.1.1.129 Standalone PET Curve Storage
5.1.4.1.1.130 Enhanced PET Image Storage
5.1.4.1.1.131 Basic Structured Display Storage
5.1.4.1.1.200.1 CT Defined Procedure Protocol Storage
5.1.4.1.1.200.2 CT Performed Procedure Protocol Storage
5.1.4.1.1.200.3 Protocol Approval Storage
5.1.4.1.1.200.4 Protocol Approval Information Model - FIND
5.1.4.1.1.200.5 Protocol Approval Information Model - MOVE
5.1.4.1.1.200.6 Protocol Approval Information Model - GET
5.1.4.1.1.200.7 XA Defined Procedure Protocol Storage
5.1.4.1.1.200.8 XA Performed Procedure Protocol Storage
5.1.4.1.1.201.1 Inventory Storage
5.1.4.1.1.201.2 Inventory - FIND
5.1.4.1.1.201.3 Inventory - MOVE
5.1.4.1.1.201.4 Inventory - GET
5.1.4.1.1.201.5 Inventory Creation
5.1.4.1.1.201.6 Repository Query
5.1.4.1.1.481.1 RT Image Storage
5.1.4.1.1.481.2 RT Dose Storage
5.1.4.1.1.481.3 RT Structure Set Storage
5.1.4.1.1.481.4 RT Beams Treatment Record Storage
5.1.4.1.1.481.5 RT Plan Storage
5.1.4.1.1.481.6 RT Brachy Treatment Record Storage
5.1.4.1.1.481.7 RT Treatment Summary Record Storage
5.1.4.1.1.481.8 RT Ion Plan Storage
5.1.4.1.1.481.9 RT Ion Beams Treatment Record Storage
5.1.4.1.1.481.10 RT Physician Intent Storage
5.1.4.1.1.481.11 RT Segment Annotation Storage
5.1.4.1.1.481.12 RT Radiation Set Storage
5.1.4.1.1.481.13 C-Arm Photon-Electron Radiation Storage
5.1.4.1.1.481.14 Tomotherapeutic Radiation Storage
5.1.4.1.1.481.15 Robotic-Arm Radiation Storage
5.1.4.1.1.481.16 RT Radiation Record Set Storage
5.1.4.1.1.481.17 RT Radiation Salvage Record Storage
5.1.4.1.1.481.18 Tomotherapeutic Radiation Record Storage
5.1.4.1.1.481.19 C-Arm Photon-Electron Radiation Record Storage
5.1.4.1.1.481.20 Robotic Radiation Record Storage
5.1.4.1.1.481.21 RT Radiation Set Delivery Instruction Storage
5.1.4.1.1.481.22 RT Treatment Preparation Storage
5.1.4.1.1.481.23 Enhanced RT Image Storage
5.1.4.1.1.481.24 Enhanced Continuous RT Image Storage
5.1.4.1.1.481.25 RT Patient Position Acquisition Instruction Storage
5.1.4.1.1.501.1 DICOS CT Image Storage
5.1.4.1.1.501.2.1 DICOS Digital X-Ray Image Storage - For Presentation
5.1.4.1.1.501.2.2 DICOS Digital X-Ray Image Storage - For Processing
5.1.4.1.1.501.3 DICOS Threat Detection Report Storage
5.1.4.1.1.501.4 DICOS 2D AIT Storage
5.1.4.1.1.501.5 DICOS 3D AIT Storage
5.1.4.1.1.501.6 DICOS Quadrupole Resonance (QR) Storage
5.1.4.1.1.601.1 Eddy Current Image Storage
5.1.4.1.1.601.2 Eddy Current Multi-frame Image Storage
5.1.4.1.2.1.1 Patient Root Query/Retrieve Information Model - FIND
5.1.4.1.2.1.2 Patient Root Query/Retrieve Information Model - MOVE
5.1.4.1.2.1.3 Patient Root Query/Retrieve Information Model - GET
5.1.4.1.2.2.1 Study Root Query/Retrieve Information Model - FIND
5.1.4.1.2.2.2 Study Root Query/Retrieve Information Model - MOVE
5.1.4.1.2.2.3 Study Root Query/Retrieve Information Model - GET
5.1.4.1.2.3.1 Patient/Study Only Query/Retrieve Information Model - FIND
5.1.4.1.2.3.2 Patient/Study Only Query/Retrieve Information Model - MOVE
5.1.4.1.2.3.3 Patient/Study Only Query/Retrieve Information Model - GET
5.1.4.1.2.4.2 Composite Instance Root Retrieve - MOVE
5.1.4.1.2.4.3 Composite Instance Root Retrieve - GET
5.1.4.1.2.5.3 Composite Instance Retrieve Without Bulk Data - GET
5.1.4.20.1 Defined Procedure Protocol Information Model - FIND
5.1.4.20.2 Defined Procedure Protocol Information Model - MOVE
5.1.4.20.3 Defined Procedure Protocol Information Model - GET
5.1.4.31 Modality Worklist Information Model - FIND
5.1.4.32 General Purpose Worklist Management Meta SOP Class
5.1.4.32.1 General Purpose Worklist Information Model - FIND
5.1.4.32.2 General Purpose Scheduled Procedure Step SOP Class
5.1.4.32.3 General Purpose Performed Procedure Step SOP Class
5.1.4.33 Instance Availability Notification SOP Class
5.1.4.34.1 RT Beams Delivery Instruction Storage - Trial
5.1.4.34.2 RT Conventional Machine Verification - Trial
5.1.4.34.3 RT Ion Machine Verification - Trial
5.1.4.34.4.1 Unified Procedure Step - Push SOP Class - Trial
5.1.4.34.4.2 Unified Procedure Step - Watch SOP Class - Trial
5.1.4.34.4.3 Unified Procedure Step - Pull SOP Class - Trial
5.1.4.34.4.4 Unified Procedure Step - Event SOP Class - Trial
5.1.4.34.6.1 Unified Procedure Step - Push SOP Class
5.1.4.34.6.2 Unified Procedure Step - Watch SOP Class
5.1.4.34.6.3 Unified Procedure Step - Pull SOP Class
5.1.4.34.6.4 Unified Procedure Step - Event SOP Class
5.1.4.34.6.5 Unified Procedure Step - Query SOP Class
5.1.4.34.7 RT Beams Delivery Instruction Storage
5.1.4.34.8 RT Conventional Machine Verification
5.1.4.34.9 RT Ion Machine Verification
5.1.4.34.10 RT Brachy Application Setup Delivery Instruction Storage
5.1.4.37.1 General Relevant Patient Information Query
5.1.4.37.2 Breast Imaging Relevant Patient Information Query
5.1.4.37.3 Cardiac Relevant Patient Information Query
5.1.4.38.1 Hanging Protocol Storage
5.1.4.38.2 Hanging Protocol Information Model - FIND
5.1.4.38.3 Hanging Protocol Information Model - MOVE
5.1.4.38.4 Hanging Protocol Information Model - GET
5.1.4.39.1 Color Palette Storage
5.1.4.39.2 Color Palette Query/Retrieve Information Model - FIND
5.1.4.39.3 Color Palette Query/Retrieve Information Model - MOVE
5.1.4.39.4 Color Palette Query/Retrieve Information Model - GET
5.1.4.41 Product Characteristics Query SOP Class
5.1.4.42 Substance Approval Query SOP Class
5.1.4.43.1 Generic Implant Template Storage
5.1.4.43.2 Generic Implant Template Information Model - FIND
5.1.4.43.3 Generic Implant Template Information Model - MOVE
5.1.4.43.4 Generic Implant Template Information Model - GET
5.1.4.44.1 Implant Assembly Template Storage
5.1.4.44.2 Implant Assembly Template Information Model - FIND
5.1.4.44.3 Implant Assembly Template Information Model - MOVE
5.1.4.44.4 Implant Assembly Template Information Model - GET
5.1.4.45.1 Implant Template Group Storage
5.1.4.45.2 Implant Template Group Information Model - FIND
5.1.4.45.3 Implant Template Group Information Model - MOVE
5.1.4.45.4 Implant Template Group Information Model - GET
10.1 Video Endoscopic Image Real-Time Communication
10.2 Video Photographic Image Real-Time Communication
10.3 Audio Waveform Real-Time Communication
10.4 Rendition Selection Document Real-Time Communication
"""

_TRANSFER_SYNTAXES = """\
1.2 Implicit VR Little Endian
1.2.1 Explicit VR Little Endian
1.2.1.98 Encapsulated Uncompressed Explicit VR Little Endian
1.2.1.99 Deflated Explicit VR Little Endian
1.2.2 Explicit VR Big Endian
1.2.4.50 JPEG Baseline (Process 1)
1.2.4.51 JPEG Extended (Process 2 and 4)
1.2.4.52 JPEG Extended (Process 3 and 5)
1.2.4.53 JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)
1.2.4.54 JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)
1.2.4.55 JPEG Full Progression, Non-Hierarchical (Process 10 and 12)
1.2.4.56 JPEG Full Progression, Non-Hierarchical (Process 11 and 13)
1.2.4.57 JPEG Lossless, Non-Hierarchical (Process 14)
1.2.4.58 JPEG Lossless, Non-Hierarchical (Process 15)
1.2.4.59 JPEG Extended, Hierarchical (Process 16 and 18)
1.2.4.60 JPEG Extended, Hierarchical (Process 17 and 19)
1.2.4.61 JPEG Spectral Selection, Hierarchical (Process 20 and 22)
1.2.4.62 JPEG Spectral Selection, Hierarchical (Process 21 and 23)
1.2.4.63 JPEG Full Progression, Hierarchical (Process 24 and 26)
1.2.4.64 JPEG Full Progression, Hierarchical (Process 25 and 27)
1.2.4.65 JPEG Lossless, Hierarchical (Process 28)
1.2.4.66 JPEG Lossless, Hierarchical (Process 29)
1.2.4.70 JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])
1.2.4.80 JPEG-LS Lossless Image Compression
1.2.4.81 JPEG-LS Lossy (Near-Lossless) Image Compression
1.2.4.90 JPEG 2000 Image Compression (Lossless Only)
1.2.4.91 JPEG 2000 Image Compression
1.2.4.92 JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)
1.2.4.93 JPEG 2000 Part 2 Multi-component Image Compression
1.2.4.94 JPIP Referenced
1.2.4.95 JPIP Referenced Deflate
1.2.4.100 MPEG2 Main Profile / Main Level
1.2.4.100.1 Fragmentable MPEG2 Main Profile / Main Level
1.2.4.101 MPEG2 Main Profile / High Level
1.2.4.101.1 Fragmentable MPEG2 Main Profile / High Level
1.2.4.102 MPEG-4 AVC/H.264 High Profile / Level 4.1
1.2.4.102.1 Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1
1.2.4.103 MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1
1.2.4.103.1 Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1
1.2.4.104 MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video
1.2.4.104.1 Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video
1.2.4.105 MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video
1.2.4.105.1 Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video
1.2.4.106 MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2
1.2.4.106.1 Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2
1.2.4.107 HEVC/H.265 Main Profile / Level 5.1
1.2.4.108 HEVC/H.265 Main 10 Profile / Level 5.1
1.2.4.110 JPEG XL Lossless
1.2.4.111 JPEG XL JPEG Recompression
1.2.4.112 JPEG XL
1.2.4.201 High-Throughput JPEG 2000 Image Compression (Lossless Only)
1.2.4.202 High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)
1.2.4.203 High-Throughput JPEG 2000 Image Compression
1.2.4.204 JPIP HTJ2K Referenced
1.2.4.205 JPIP HTJ2K Referenced Deflate
1.2.5 RLE Lossless
1.2.6.1 RFC 2557 MIME encapsulation
1.2.6.2 XML Encoding
1.2.7.1 SMPTE ST 2110-20 Uncompressed Progressive Active Video
1.2.7.2 SMPTE ST 2110-20 Uncompressed Interlaced Active Video
1.2.7.3 SMPTE ST 2110-30 PCM Digital Audio
1.2.8.1 Deflated Image Frame Compression
1.20 Papyrus 3 Implicit VR Little Endian
"""


def _table(lines: str) -> dict[str, str]:
    pairs = (line.split(" ", 1) for line in lines.splitlines())
    return {ROOT + suffix: name for suffix, name in pairs}


SOP_CLASSES = _table(_SOP_CLASSES)
"""UID -> name of the SOP class."""

TRANSFER_SYNTAXES = _table(_TRANSFER_SYNTAXES)
"""UID -> name of the transfer syntax."""

VERIFICATION = ROOT + "1.1"
MODALITY_WORKLIST = ROOT + "5.1.4.31"
IMPLICIT_LITTLE = ROOT + "1.2"
EXPLICIT_BIG = ROOT + "1.2.2"
DEFLATED = frozenset({ROOT + "1.2.1.99", ROOT + "1.2.4.95", ROOT + "1.2.4.205"})

# The annexes of PS3.4: A (verification), B (storage), C (query/retrieve), F (MPPS), H (print), J (storage
# commitment), K (worklist), R (instance availability), CC (unified procedure step).
_SERVICES = (
    ("1.1", "echo"),
    ("1.20.", "storage_commitment"),
    ("1.40", "event_logging"),
    ("1.42", "event_logging"),
    ("1.9", "basic_study_content"),
    ("3.1.2.3.3", "mpps"),
    ("3.1.2.3.4", "mpps_retrieve"),
    ("3.1.2.3.5", "mpps_notification"),
    ("3.1.2.", "study_management"),
    ("5.1.1.27", "storage"),
    ("5.1.1.29", "storage"),
    ("5.1.1.30", "storage"),
    ("5.1.1.", "print"),
    ("5.1.4.31", "worklist"),
    ("5.1.4.32", "worklist"),
    ("5.1.4.33", "instance_availability"),
    ("5.1.4.34.4.", "unified_procedure_step"),
    ("5.1.4.34.6.", "unified_procedure_step"),
    ("5.1.4.34.", "rt_machine_verification"),
    ("5.1.4.37", "relevant_patient_information"),
    ("5.1.4.1.1.", "storage"),
)
_LAST_WORDS = (("FIND", "query"), ("MOVE", "move"), ("GET", "get"), ("Storage", "storage"))
_QUERY_BY_WORKLIST = ("5.1.4.31", "5.1.4.32")


def service(sop_class: str) -> str | None:
    """Return the service of ``sop_class`` in one word, or None for private and unknown classes.

    >>> service("1.2.840.10008.5.1.4.1.1.2")
    'storage'
    """
    if not sop_class.startswith(ROOT):
        return None
    suffix = sop_class.removeprefix(ROOT)
    if not suffix.startswith(_QUERY_BY_WORKLIST):
        name = SOP_CLASSES.get(sop_class, "")
        for word, found in _LAST_WORDS:
            if name.endswith(word):
                return found
    for prefix, found in _SERVICES:
        if suffix == prefix or suffix.startswith(prefix if prefix[-1] == "." else prefix + "."):
            return found
    return None
