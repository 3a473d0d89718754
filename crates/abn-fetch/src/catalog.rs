//! The published data sets: where they are, how large, and what becomes of them on a disk.
//!
//! Addresses are the authors'. Sizes and checksums are theirs, or those that torchvision and other
//! widely used loaders compare with; where there is none, the field says so. An archive may hold
//! its [`Bounds`] and no more, about twice what it does.

use crate::checksum::Checksum;
use crate::unpack::{Bounds, Packing};

/// A data set that somebody published.
#[derive(Debug, Clone, Copy)]
pub struct PublishedSet {
    /// What it is asked for by.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Where its authors describe it.
    pub page: &'static str,
    /// Below the folder of all data sets, where it comes to lie.
    pub folder: &'static str,
    /// What has to be fetched.
    pub files: &'static [PublishedFile],
}

/// A file of a data set.
#[derive(Debug, Clone, Copy)]
pub struct PublishedFile {
    /// The official address. What follows the last slash is the file's name.
    pub url: &'static str,
    /// Its size.
    pub size: Size,
    /// Its checksum, if one is published.
    pub checksum: Option<Checksum>,
    /// What becomes of it.
    pub becomes: Becomes,
}

/// What is known of a file's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// It has so many bytes.
    Exactly(u64),
    /// No size is published; a file of more bytes is not it.
    AtMost(u64),
}

/// What becomes of a file. Places are below the folder of all data sets, with `/` between.
#[derive(Debug, Clone, Copy)]
pub enum Becomes {
    /// It stays as it is.
    File {
        /// Where.
        place: &'static str,
    },
    /// It is unpacked.
    Folder {
        /// Where.
        place: &'static str,
        /// How it is packed.
        packing: Packing,
        /// The folder of the archive that goes to `place`. What lies beside it is left out.
        root: &'static str,
        /// Some of what has to be in it, so that a complete folder can be told from others.
        holds: &'static [&'static str],
        /// The most that may be in the archive.
        bounds: Bounds,
    },
}

impl PublishedSet {
    /// The data set of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|set| set.name == name)
    }

    /// The sum of the sizes, if all are known.
    pub fn bytes(&self) -> Option<u64> {
        self.files
            .iter()
            .map(|file| match file.size {
                Size::Exactly(bytes) => Some(bytes),
                Size::AtMost(_) => None,
            })
            .sum()
    }
}

impl PublishedFile {
    /// The file's name.
    pub fn name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }

    /// Where it comes to lie, below the folder of all data sets.
    pub fn place(&self) -> &'static str {
        match self.becomes {
            Becomes::File { place } | Becomes::Folder { place, .. } => place,
        }
    }
}

const MB: u64 = 1_000_000;
const GB: u64 = 1_000 * MB;

/// Every set, in the order in which they are listed.
pub static ALL: [PublishedSet; 17] = [
    CIFAR10,
    CIFAR100,
    SVHN,
    SVHN_EXTRA,
    IMAGENETTE,
    IMAGENETTE_320,
    IMAGENETTE_160,
    IMAGEWOOF,
    IMAGEWOOF_320,
    IMAGEWOOF_160,
    TINY_IMAGENET,
    CUB,
    PETS,
    VOC2007,
    VOC2007_TEST,
    VOC2012,
    COCO2017_VAL,
];

const CIFAR_PAGE: &str = "https://www.cs.toronto.edu/~kriz/cifar.html";

const CIFAR10: PublishedSet = PublishedSet {
    name: "cifar10",
    about: "CIFAR-10, binary version: 60,000 images of 32x32, 10 classes",
    page: CIFAR_PAGE,
    folder: "cifar-10-batches-bin",
    files: &[PublishedFile {
        url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        size: Size::Exactly(170_052_171),
        checksum: Some(Checksum::Md5("c32a1d4ab5d03f1284b67883e8d87530")),
        becomes: Becomes::Folder {
            place: "cifar-10-batches-bin",
            packing: Packing::TarGz,
            root: "cifar-10-batches-bin",
            holds: &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
                "test_batch.bin",
                "batches.meta.txt",
            ],
            bounds: Bounds {
                bytes: 400 * MB,
                entries: 100,
            },
        },
    }],
};

const CIFAR100: PublishedSet = PublishedSet {
    name: "cifar100",
    about: "CIFAR-100, binary version: 60,000 images of 32x32, 100 classes in 20 groups",
    page: CIFAR_PAGE,
    folder: "cifar-100-binary",
    files: &[PublishedFile {
        url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        size: Size::Exactly(168_513_733),
        checksum: Some(Checksum::Md5("03b5dce01913d631647c71ecec9e9cb8")),
        becomes: Becomes::Folder {
            place: "cifar-100-binary",
            packing: Packing::TarGz,
            root: "cifar-100-binary",
            holds: &[
                "train.bin",
                "test.bin",
                "fine_label_names.txt",
                "coarse_label_names.txt",
            ],
            bounds: Bounds {
                bytes: 400 * MB,
                entries: 100,
            },
        },
    }],
};

const SVHN_PAGE: &str = "http://ufldl.stanford.edu/housenumbers/";

const SVHN: PublishedSet = PublishedSet {
    name: "svhn",
    about: "Street View House Numbers: 73,257 and 26,032 digits of 32x32",
    page: SVHN_PAGE,
    folder: "svhn",
    files: &[
        PublishedFile {
            url: "http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
            size: Size::Exactly(182_040_794),
            checksum: Some(Checksum::Md5("e26dedcc434d2e4c54c9b2d4a06d8373")),
            becomes: Becomes::File {
                place: "svhn/train_32x32.mat",
            },
        },
        PublishedFile {
            url: "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
            size: Size::Exactly(64_275_384),
            checksum: Some(Checksum::Md5("eb5a983be6a315427106f1b164d9cef3")),
            becomes: Becomes::File {
                place: "svhn/test_32x32.mat",
            },
        },
    ],
};

/// Apart from the others, since it is five times as large as they are.
const SVHN_EXTRA: PublishedSet = PublishedSet {
    name: "svhn-extra",
    about: "the 531,131 easier digits that SVHN adds to its training images",
    page: SVHN_PAGE,
    folder: "svhn",
    files: &[PublishedFile {
        url: "http://ufldl.stanford.edu/housenumbers/extra_32x32.mat",
        size: Size::Exactly(1_329_278_602),
        checksum: Some(Checksum::Md5("a93ce644f1a588dc4d68dda5feec44a7")),
        becomes: Becomes::File {
            place: "svhn/extra_32x32.mat",
        },
    }],
};

/// A set of fast.ai: an archive `ROOT.tgz` that holds the folder `ROOT`, of at most `bytes`.
macro_rules! fast_ai {
    ($name:literal, $root:literal, $checksum:expr, $bytes:expr, $about:literal) => {
        PublishedSet {
            name: $name,
            about: $about,
            page: "https://github.com/fastai/imagenette",
            folder: $root,
            files: &[PublishedFile {
                url: concat!("https://s3.amazonaws.com/fast-ai-imageclas/", $root, ".tgz"),
                // Photographs do not become smaller by packing.
                size: Size::AtMost($bytes),
                checksum: $checksum,
                becomes: Becomes::Folder {
                    place: $root,
                    packing: Packing::TarGz,
                    root: $root,
                    holds: &["train", "val"],
                    bounds: Bounds {
                        bytes: $bytes,
                        entries: 40_000,
                    },
                },
            }],
        }
    };
}

const IMAGENETTE: PublishedSet = fast_ai!(
    "imagenette",
    "imagenette2",
    Some(Checksum::Md5("fe2fc210e6bb7c5664d602c3cd71e612")),
    4 * GB,
    "Imagenette: 13,394 photographs of 10 easy classes of ImageNet, in full size"
);

const IMAGENETTE_320: PublishedSet = fast_ai!(
    "imagenette-320",
    "imagenette2-320",
    Some(Checksum::Md5("3df6f0d01a2c9592104656642f5e78a3")),
    GB,
    "Imagenette, the shorter side 320 pixels"
);

const IMAGENETTE_160: PublishedSet = fast_ai!(
    "imagenette-160",
    "imagenette2-160",
    Some(Checksum::Md5("e793b78cc4c9e9a4ccc0c1155377a412")),
    500 * MB,
    "Imagenette, the shorter side 160 pixels"
);

const IMAGEWOOF: PublishedSet = fast_ai!(
    "imagewoof",
    "imagewoof2",
    None,
    4 * GB,
    "Imagewoof: 12,954 photographs of 10 breeds of dogs from ImageNet, in full size"
);

const IMAGEWOOF_320: PublishedSet = fast_ai!(
    "imagewoof-320",
    "imagewoof2-320",
    None,
    GB,
    "Imagewoof, the shorter side 320 pixels"
);

const IMAGEWOOF_160: PublishedSet = fast_ai!(
    "imagewoof-160",
    "imagewoof2-160",
    None,
    500 * MB,
    "Imagewoof, the shorter side 160 pixels"
);

const TINY_IMAGENET: PublishedSet = PublishedSet {
    name: "tiny-imagenet",
    about: "Tiny ImageNet: 120,000 images of 64x64, 200 classes, with boxes",
    page: "http://cs231n.stanford.edu/",
    folder: "tiny-imagenet-200",
    files: &[PublishedFile {
        url: "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        size: Size::Exactly(248_100_043),
        checksum: Some(Checksum::Md5("90528d7ca1a48142e341f4ef8d21d0de")),
        becomes: Becomes::Folder {
            place: "tiny-imagenet-200",
            packing: Packing::Zip,
            root: "tiny-imagenet-200",
            holds: &["wnids.txt", "words.txt", "train", "val/val_annotations.txt"],
            bounds: Bounds {
                bytes: GB,
                entries: 250_000,
            },
        },
    }],
};

const CUB: PublishedSet = PublishedSet {
    name: "cub-200-2011",
    about: "Caltech-UCSD Birds: 11,788 photographs of 200 species, with boxes and parts",
    page: "https://data.caltech.edu/records/65de6-vp158",
    folder: "CUB_200_2011",
    files: &[PublishedFile {
        url: "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
        size: Size::AtMost(3 * GB),
        checksum: Some(Checksum::Md5("97eceeb196236b17998738112f37df78")),
        becomes: Becomes::Folder {
            place: "CUB_200_2011",
            packing: Packing::TarGz,
            root: "CUB_200_2011",
            holds: &[
                "images.txt",
                "image_class_labels.txt",
                "classes.txt",
                "train_test_split.txt",
                "bounding_boxes.txt",
                "images",
            ],
            bounds: Bounds {
                bytes: 3 * GB,
                entries: 50_000,
            },
        },
    }],
};

const PETS_PAGE: &str = "https://www.robots.ox.ac.uk/~vgg/data/pets/";

const PETS: PublishedSet = PublishedSet {
    name: "pets",
    about: "Oxford-IIIT pets: 7,349 photographs of 37 breeds, with outlines",
    page: PETS_PAGE,
    folder: "oxford-iiit-pet",
    files: &[
        PublishedFile {
            url: "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
            size: Size::AtMost(2 * GB),
            checksum: Some(Checksum::Md5("5c4f3ee8e5d25df40f4fd59a7f44e54c")),
            becomes: Becomes::Folder {
                place: "oxford-iiit-pet/images",
                packing: Packing::TarGz,
                root: "images",
                holds: &["Abyssinian_1.jpg"],
                bounds: Bounds {
                    bytes: 2 * GB,
                    entries: 20_000,
                },
            },
        },
        PublishedFile {
            url: "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
            size: Size::AtMost(200 * MB),
            checksum: Some(Checksum::Md5("95a8c909bbe2e81eed6a22bccdf3f68f")),
            becomes: Becomes::Folder {
                place: "oxford-iiit-pet/annotations",
                packing: Packing::TarGz,
                root: "annotations",
                holds: &["list.txt", "trainval.txt", "test.txt", "trimaps"],
                bounds: Bounds {
                    bytes: 400 * MB,
                    entries: 50_000,
                },
            },
        },
    ],
};

/// PASCAL VOC of a year: the archive holds `VOCdevkit/VOC$year`, which comes to `$folder`. Images to
/// test on have an archive of the same folders, and a folder of their own.
macro_rules! voc {
    ($name:literal, $year:literal, $folder:literal, $archive:literal, $checksum:literal, $bytes:expr,
     $about:literal) => {
        PublishedSet {
            name: $name,
            about: $about,
            page: concat!("http://host.robots.ox.ac.uk/pascal/VOC/voc", $year, "/"),
            folder: $folder,
            files: &[PublishedFile {
                url: concat!(
                    "https://thor.robots.ox.ac.uk/pascal/VOC/voc",
                    $year,
                    "/",
                    $archive
                ),
                size: Size::AtMost($bytes),
                // As torchvision compares it.
                checksum: Some(Checksum::Md5($checksum)),
                becomes: Becomes::Folder {
                    place: $folder,
                    packing: Packing::Tar,
                    root: concat!("VOCdevkit/VOC", $year),
                    holds: &["JPEGImages", "Annotations", "ImageSets/Main"],
                    bounds: Bounds {
                        bytes: $bytes,
                        entries: 100_000,
                    },
                },
            }],
        }
    };
}

const VOC2007: PublishedSet = voc!(
    "voc2007",
    "2007",
    "VOC2007",
    "VOCtrainval_06-Nov-2007.tar",
    "c52e279531787c972589f7e41ab4ae64",
    GB,
    "PASCAL VOC 2007: 5,011 photographs of 20 classes with boxes, to learn and to choose by"
);

const VOC2007_TEST: PublishedSet = voc!(
    "voc2007-test",
    "2007",
    "VOC2007-test",
    "VOCtest_06-Nov-2007.tar",
    "b6e924de25625d8de591ea690078ad9f",
    GB,
    "PASCAL VOC 2007: the 4,952 photographs to test on, with their boxes"
);

const VOC2012: PublishedSet = voc!(
    "voc2012",
    "2012",
    "VOC2012",
    "VOCtrainval_11-May-2012.tar",
    "6cd6e144f989b92b3379bac3b3de84fd",
    4 * GB,
    "PASCAL VOC 2012: 11,540 photographs of 20 classes with boxes, to learn and to choose by"
);

/// Sizes and checksums are those that torchvision for R and other public loaders compare with.
const COCO2017_VAL: PublishedSet = PublishedSet {
    name: "coco2017-val",
    about: "COCO 2017: the 5,000 photographs of val2017, and the annotations of all, 80 classes",
    page: "https://cocodataset.org/#download",
    folder: "coco",
    files: &[
        PublishedFile {
            url: "http://images.cocodataset.org/zips/val2017.zip",
            size: Size::Exactly(815_585_330),
            checksum: Some(Checksum::Md5("442b8da7639aecaf257c1dceb8ba8c80")),
            becomes: Becomes::Folder {
                place: "coco/val2017",
                packing: Packing::Zip,
                root: "val2017",
                holds: &["000000000139.jpg"],
                bounds: Bounds {
                    bytes: 2 * GB,
                    entries: 10_000,
                },
            },
        },
        PublishedFile {
            url: "http://images.cocodataset.org/annotations/annotations_trainval2017.zip",
            size: Size::Exactly(252_907_541),
            checksum: Some(Checksum::Md5("f4bbac642086de4f52a3fdda2de5fa2c")),
            becomes: Becomes::Folder {
                place: "coco/annotations",
                packing: Packing::Zip,
                root: "annotations",
                holds: &["instances_train2017.json", "instances_val2017.json"],
                bounds: Bounds {
                    bytes: 2 * GB,
                    entries: 100,
                },
            },
        },
    ],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn files() -> impl Iterator<Item = &'static PublishedFile> {
        ALL.iter().flat_map(|set| set.files)
    }

    #[test]
    fn names_places_and_addresses_are_unique() {
        let names: BTreeSet<_> = ALL.iter().map(|set| set.name).collect();
        assert_eq!(names.len(), ALL.len());
        for name in names {
            assert_eq!(PublishedSet::named(name).unwrap().name, name);
        }
        assert!(PublishedSet::named("mnist").is_none());
        let places: BTreeSet<_> = files().map(PublishedFile::place).collect();
        assert_eq!(places.len(), files().count());
        let urls: BTreeSet<_> = files().map(|file| file.url).collect();
        assert_eq!(urls.len(), files().count());
    }

    #[test]
    fn every_file_lies_in_the_folder_of_its_set_and_is_addressed_by_name() {
        for set in &ALL {
            for file in set.files {
                let below = file.place().strip_prefix(set.folder);
                assert!(below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
                assert!(!file.name().is_empty() && !file.name().contains(['?', '#', '%']));
                assert!(file.url.starts_with("https://") || file.checksum.is_some());
            }
        }
    }

    #[test]
    fn checksums_are_written_as_they_are_compared() {
        for checksum in files().filter_map(|file| file.checksum) {
            let length = match checksum {
                Checksum::Md5(_) => 32,
                Checksum::Sha256(_) => 64,
            };
            let digits = checksum.digits();
            assert_eq!(digits.len(), length, "{checksum}");
            let lower = |digit: char| digit.is_ascii_digit() || ('a'..='f').contains(&digit);
            assert!(digits.chars().all(lower), "{checksum}");
        }
    }

    #[test]
    fn sizes_add_up_where_all_are_known() {
        assert_eq!(SVHN.bytes(), Some(182_040_794 + 64_275_384));
        assert_eq!(PETS.bytes(), None);
    }
}
